"""What it costs over time: over commits, and over the releases of a library."""

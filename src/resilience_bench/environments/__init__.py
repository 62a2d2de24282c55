"""The interpreters that are measured: which there are, what they hold, how they are made."""

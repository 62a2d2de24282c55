"""A service on the reference stack, a load, and buttons that break what it calls."""

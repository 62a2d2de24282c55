"""The program that runs inside the measured interpreter; the standard library is all it needs."""

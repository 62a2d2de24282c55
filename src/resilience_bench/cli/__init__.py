"""The command line: one command a file; each imports what it needs when it runs."""

"""The static site: every run, history and release page in one folder."""

"""The history of commits and releases, and the site."""

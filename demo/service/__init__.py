"""The service of the demo: a shop that calls a database, a cache and a price service."""

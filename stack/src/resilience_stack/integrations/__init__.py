"""Guards for the clients of databases, caches, HTTP services and for traces; each is an extra."""

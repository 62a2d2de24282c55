"""The payloads that do real work, one file a driver; standard library only until one is used."""

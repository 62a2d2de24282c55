"""Tests of the payloads that do real work."""

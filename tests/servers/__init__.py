"""Tests of the servers that payloads call."""

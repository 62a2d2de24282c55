"""Tests of `resilience_bench.stats`."""

"""Tests of `resilience_bench.commits`."""

"""Tests of `resilience_bench.site`."""

"""Tests of `resilience_bench.scenarios`."""

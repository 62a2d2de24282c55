"""Tests of `resilience_bench.environments`."""

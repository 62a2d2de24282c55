"""Tests of `resilience_bench.cli`."""

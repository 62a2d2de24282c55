"""Tests of `resilience_bench.gate`."""

"""Tests of `resilience_bench.measure`."""

"""Tests of `resilience_bench.selftest`."""

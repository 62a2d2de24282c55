"""Tests of `resilience_bench.files`."""

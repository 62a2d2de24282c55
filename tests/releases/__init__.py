"""Tests of `resilience_bench.releases`."""

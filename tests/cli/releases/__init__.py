"""Tests of `resilience-bench releases`."""

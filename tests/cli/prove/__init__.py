"""Tests of `resilience-bench prove`."""

"""Tests of what it costs over time."""

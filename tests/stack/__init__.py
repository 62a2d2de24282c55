"""Tests of the reference stack."""

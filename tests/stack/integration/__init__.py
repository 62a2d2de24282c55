"""Tests of the stack against real servers, which they start themselves."""

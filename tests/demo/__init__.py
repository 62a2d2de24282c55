"""Tests of the demo and of the drill."""

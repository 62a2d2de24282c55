"""Tests of what a team copies into its monitoring."""

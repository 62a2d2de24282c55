"""Tests of the commands that judge."""

"""Measuring: which cases, in which workers, in which order."""

"""Tests of the history: asv, its results and its pages."""

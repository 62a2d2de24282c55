"""Tests of the scripts that build Pythons and measure under them."""

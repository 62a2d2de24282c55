"""Measures on several machines: whole blocks of work, each on one host, scheduled by Dask."""

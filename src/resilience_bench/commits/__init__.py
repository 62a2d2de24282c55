"""What the stack costs commit by commit, measured and published by asv.

``asv_parameters``, ``estimates``, ``measure`` and ``asv_benchmarks`` also run inside asv's
environments, so they import the standard library only.
"""

"""What it costs over time: over commits with asv, over the releases of a library, as a site.

``axes``, ``figures``, ``measuring`` and ``suite`` run inside asv's environments as well, so they
import the standard library only; the other modules run where the tool is installed.
"""

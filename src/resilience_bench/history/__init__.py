"""The cost over commits: asv's classes made from scenarios, and asv's data published.

``axes``, ``figures``, ``measuring`` and ``suite`` run inside asv's environments as well, so they
import the standard library only; the other modules run where the tool is installed.
"""

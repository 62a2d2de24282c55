"""``python -m resilience_bench`` does what ``resilience-bench`` does."""

import sys

from resilience_bench.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

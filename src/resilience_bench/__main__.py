"""The program ``resilience-bench``, also as ``python -m resilience_bench``."""

import sys


def main() -> int:
    """Run the command of the tool; Ctrl-C while it is still imported is no traceback either."""
    try:
        from resilience_bench.cli import main as commands  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was measured yet\n")
        return 130
    return commands.main()


if __name__ == "__main__":
    sys.exit(main())

"""What a user of the demo can mend."""

from __future__ import annotations

from typing import Final

EXIT_CODE: Final = 2


class DemoError(Exception):
    """Something did not start; the text is one line that ends with what to type."""

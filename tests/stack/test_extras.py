"""Integrations are extras: without one, its import is one line that says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTRAS = {
    "asgi": ("asgi_correlation_id", "asgi-correlation-id", "asgi"),
    "httpx": ("httpx", "httpx", "http"),
    "otel": ("opentelemetry", "opentelemetry-api", "otel"),
    "redis": ("redis", "redis", "redis"),
    "sqlalchemy": ("sqlalchemy", "sqlalchemy", "sqlalchemy"),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_without_the_extra_the_import_says_what_to_type(name: str) -> None:
    """The last line of the traceback names the package and the command."""
    module, package, extra = EXTRAS[name]
    code = (
        f"import sys; sys.modules['{module}'] = None; import resilience_stack.integrations.{name}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: resilience_stack.integrations.{name} needs {package}: "
        f"pip install 'resilience-stack[{extra}]'"
    )


def test_the_package_itself_needs_none() -> None:
    """Importing the stack and its edge loads no client; pybreaker looks for redis itself."""
    code = "import sys, resilience_stack, resilience_stack.edge.asgi; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    clients = {"sqlalchemy", "psycopg", "httpx", "asgi_correlation_id"}
    assert clients.isdisjoint(done.stdout.split())

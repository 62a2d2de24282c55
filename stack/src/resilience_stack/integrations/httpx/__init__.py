"""httpx behind guards, one for each host: a transport that any client of it takes."""

try:
    from resilience_stack.integrations.httpx.settings import policy
    from resilience_stack.integrations.httpx.transports import (
        AsyncGuardedTransport,
        GuardedTransport,
    )
except ModuleNotFoundError as error:
    message = (
        "resilience_stack.integrations.httpx needs httpx: pip install 'resilience-stack[http]'"
    )
    raise ImportError(message) from error

__all__ = ["AsyncGuardedTransport", "GuardedTransport", "policy"]

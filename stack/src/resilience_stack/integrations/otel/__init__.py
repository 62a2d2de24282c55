"""OpenTelemetry: guarded calls, and their attempts, as spans."""

try:
    from resilience_stack.integrations.otel.guards import TracedGuard, TracedManager
except ModuleNotFoundError as error:
    message = (
        "resilience_stack.integrations.otel needs opentelemetry-api: "
        "pip install 'resilience-stack[otel]'"
    )
    raise ImportError(message) from error

__all__ = ["TracedGuard", "TracedManager"]

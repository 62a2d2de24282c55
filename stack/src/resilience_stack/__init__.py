"""A circuit breaker, a retry and metrics around a call."""

from resilience_stack.breaker import CircuitBreakerError
from resilience_stack.guard import Guard
from resilience_stack.manager import ResilienceManager
from resilience_stack.policy import Policy, Retry

__version__ = "0.1.0"

__all__ = ["CircuitBreakerError", "Guard", "Policy", "ResilienceManager", "Retry"]

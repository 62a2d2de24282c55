"""A resilience layer for a service: breaker, retry, limits, fallback and metrics around a call."""

from resilience_stack.core.breaker import CircuitBreakerError
from resilience_stack.core.bulkhead import BulkheadFullError
from resilience_stack.core.deadline import DeadlineExceededError, remaining_s
from resilience_stack.core.failures import CallFailure, find_failure
from resilience_stack.core.fallback import Answer, Fallback
from resilience_stack.core.guard import Guard
from resilience_stack.core.health import Health
from resilience_stack.core.manager import ResilienceManager
from resilience_stack.core.matching import matching
from resilience_stack.core.policy import Bulkhead, Policy, Retry, RetryBudget
from resilience_stack.core.probes import Probe, ProbeSettings
from resilience_stack.core.status import GuardStatus

__version__ = "0.2.0"

__all__ = [
    "Answer",
    "Bulkhead",
    "BulkheadFullError",
    "CallFailure",
    "CircuitBreakerError",
    "DeadlineExceededError",
    "Fallback",
    "Guard",
    "GuardStatus",
    "Health",
    "Policy",
    "Probe",
    "ProbeSettings",
    "ResilienceManager",
    "Retry",
    "RetryBudget",
    "find_failure",
    "matching",
    "remaining_s",
]

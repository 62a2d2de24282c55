"""The guard itself: breaker, retry, time limits, bulkhead and fallback around a call."""

"""A cache by redis-py that is never in the way: what fails is a miss."""

try:
    from resilience_stack.integrations.redis.async_cache import AsyncCache
    from resilience_stack.integrations.redis.cache import Cache
    from resilience_stack.integrations.redis.settings import policy
except ModuleNotFoundError as error:
    message = (
        "resilience_stack.integrations.redis needs redis: pip install 'resilience-stack[redis]'"
    )
    raise ImportError(message) from error

__all__ = ["AsyncCache", "Cache", "policy"]

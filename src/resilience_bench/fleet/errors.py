"""What a user can do wrong with a fleet."""

from resilience_bench.errors import UserError


class FleetError(UserError):
    """A fleet cannot be used, or lost all its hosts."""


class SchedulerLostError(Exception):
    """The scheduler has gone; what was measured is on the hosts and in the journal."""

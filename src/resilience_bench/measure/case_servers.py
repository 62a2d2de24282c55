"""The servers that the payloads of cases call, and what to say of cases that lack theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import CaseInfo, CaseStatus
from resilience_bench.servers.open_servers import ProgramMissingError, ServerFailedError, Servers

FAILURE_STATUSES: Final = frozenset({"broken", "failed", "hung"})
"""The statuses that a case may have because its server has ended."""


@dataclass(frozen=True, slots=True)
class CaseServers:
    """The servers of the cases of a session; without ``servers`` none is started.

    With ``only_looks`` none is started either: it is enough that they are installed.
    """

    servers: Servers | None = None
    only_looks: bool = False

    def find_problem(self, info: CaseInfo) -> tuple[CaseStatus, str] | None:
        """Start the servers of a case, if it needs any; return why one is missing, or None."""
        for name in info.servers:
            if self.servers is None:
                return "not available", f"it needs the server {name}, and none is started here"
            try:
                if self.only_looks:
                    self.servers.check_programs(name)
                else:
                    self.servers.find_address(name)
            except ProgramMissingError as error:
                return "not available", str(error)
            except ServerFailedError as error:
                return "failed", str(error)
        return None

    def list_addresses(self, block: Sequence[CaseInfo]) -> tuple[tuple[str, str], ...]:
        """Return the names and addresses of the running servers of cases, for a plan."""
        if self.servers is None or self.only_looks:
            return ()
        names = dict.fromkeys(name for info in block for name in info.servers)
        return tuple((name, self.servers.get_address(name)) for name in names)

    def explain_failure(
        self, infos: Sequence[CaseInfo], case: str, status: CaseStatus, reason: str
    ) -> tuple[CaseStatus, str]:
        """Return status and reason of a case, with the last words of its server.

        If the server has ended, that is the reason. If it runs, it may have said why it fails.
        """
        if self.servers is None or status not in FAILURE_STATUSES:
            return status, reason
        names = [name for info in infos if info.case.name == case for name in info.servers]
        if end := next(filter(None, map(self.servers.explain_end, names)), ""):
            return "failed", end
        words = list(filter(None, map(self.servers.quote_last_words, names)))
        return status, "; ".join([reason, *words] if status == "failed" else [reason])

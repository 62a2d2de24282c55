"""What runs on a host: one block at a time, and every result kept until the client has it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from filelock import FileLock, Timeout

from resilience_bench.environments.variants import get_cache_folder
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.fleet import remote
from resilience_bench.fleet.block import Reply
from resilience_bench.fleet.errors import FleetError
from resilience_bench.fleet.facts import compute_digest

HOST_VARIABLE: Final = "RESILIENCE_BENCH_FLEET_HOST"
"""Names the host in the environment of its worker, and of all that the worker starts."""
FOLDER_VARIABLE: Final = "RESILIENCE_BENCH_FLEET_FOLDER"
"""The same of the host's folder: two fleets on one machine may have hosts of one name."""
KEPT_DAYS: Final = 30
DAY_S: Final = 86400
_MEASURING: Final = threading.Lock()
"""One block at a time, also when a worker lost its scheduler in the middle and came back."""
_RUNNING: Final[set[str]] = set()
_STOPPED: Final[set[str]] = set()
"""Those of the running blocks that nobody waits for any longer."""
STOP_EVERY_S: Final = 0.2


def get_host_folder(host: str) -> Path:
    """Return where a host keeps its lock and the results of its blocks."""
    return get_cache_folder() / "fleet" / host.replace(os.sep, "_")


@contextlib.contextmanager
def hold_host(host: str) -> Iterator[None]:
    """Hold the lock of a host; FleetError, with the process, if another worker holds it."""
    folder = get_host_folder(host)
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / "holder"
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        with contextlib.suppress(OSError):
            pid = holder.read_text(encoding="ascii").strip()
            raise FleetError(
                f"host {host} has a worker already, process {pid}; expected one a host: two "
                f"measurements at a time disturb each other; type 'kill {pid}' to end that one"
            ) from None
        raise FleetError(f"host {host} has a worker already; expected one a host; end it") from None
    try:
        holder.write_text(f"{os.getpid()}\n", encoding="ascii")
        _forget_old(folder)
        yield
    finally:
        lock.release()


def _forget_old(folder: Path) -> None:
    for path in folder.glob("*.json"):
        if time.time() - path.stat().st_mtime > KEPT_DAYS * DAY_S:
            path.unlink()


def measure_block(key: str, place: tuple[str, str], content: Mapping[str, Any]) -> dict[str, Any]:
    """Measure a block, unless this host has measured it before; returns a `Reply` as a dict.

    ``place`` is the module and the name of a `resilience_bench.fleet.block.Measure`.
    A failure is a reply as well, and is not kept.
    """
    host = os.environ[HOST_VARIABLE]
    path = get_host_folder(host) / f"{key}.json"
    with _MEASURING:
        if (kept := _read(path)) is not None:
            return kept
        _STOPPED.discard(key)
        _RUNNING.add(key)
        started = time.monotonic()
        try:
            found = remote.call_by_name(*place, content)
        except UserError as error:
            return dataclasses.asdict(Reply(key, host, failure=str(error)))
        except Exception as error:  # noqa: BLE001 - another host may do it, and the user sees why
            return dataclasses.asdict(Reply(key, host, failure=f"{type(error).__name__}: {error}"))
        finally:
            _RUNNING.discard(key)
        if key in _STOPPED:  # it lacks what was ended
            return dataclasses.asdict(Reply(key, host, failure="it was stopped"))
        seconds = round(time.monotonic() - started, 3)
        reply = dataclasses.asdict(Reply(key, host, seconds, **found))
        atomic.write_text(json.dumps(reply), path)
        return reply


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        msgspec.convert(kept, Reply)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
    return kept


def list_held() -> list[str]:
    """Return the keys of the blocks that this host has measured, or is measuring."""
    folder = get_host_folder(os.environ[HOST_VARIABLE])
    return [*(path.stem for path in folder.glob("*.json")), *tuple(_RUNNING)]


def stop_block(key: str) -> None:
    """End what this host is measuring, if it is this block: another host's result is there."""
    if key in _RUNNING and key not in _STOPPED:
        _STOPPED.add(key)
        threading.Thread(target=_end_processes, args=(key,), daemon=True).start()


def _end_processes(key: str) -> None:
    while key in _RUNNING and key in _STOPPED:
        end_children(os.environ[HOST_VARIABLE])
        time.sleep(STOP_EVERY_S)


def end_children(host: str) -> None:
    """End all that this process has started for a host."""
    import psutil  # noqa: PLC0415 - of the extra, and only hosts need it

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.environ().get(HOST_VARIABLE) == host:
                child.kill()


def digest_sources(names: tuple[str, ...]) -> str:
    """Return a digest of the Python files at some paths and below; empty if one is missing.

    Relative paths are below the folder in which the worker was started.
    """
    parts: list[bytes] = []
    for name in names:
        path = Path(name)
        if not path.exists():
            return ""
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            place = file.relative_to(path) if path.is_dir() else Path(path.name)
            parts += [f"{place}\n".encode(), file.read_bytes()]
    return compute_digest(b"".join(parts))

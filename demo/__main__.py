"""The command of `scripts/demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn

import click
import uvicorn

from demo.errors import EXIT_CODE, DemoError, run_command
from demo.load import Load
from demo.page.app import make_page
from demo.stage import SHOWN_WITH, Stage, StageOptions
from demo.watch import SECONDS, Watch
from resilience_bench.servers.recipe import HOST

PORT: Final = 8765


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True)
@click.option("--rate", type=click.FloatRange(1, 200), default=40, show_default=True)
@click.option("--workers", type=click.IntRange(1, 8), default=3, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long; else Ctrl-C.")
@click.option("--speed", type=click.FloatRange(1, 60), default=20, show_default=True)
@click.option("--rules", type=click.Path(path_type=Path), default=None, help="Default: monitoring.")
@click.option("--without", type=click.Choice(list(SHOWN_WITH)), multiple=True)
def main(  # noqa: PLR0913, PLR0917 - the options of a command
    port: int,
    rate: float,
    workers: int,
    seconds: float | None,
    speed: float,
    rules: Path | None,
    without: tuple[str, ...],
) -> None:
    """Start a service, a load, and a page with buttons that break what the service calls.

    --rate is that of the requests a second, --speed says how many times faster the alerts are than
    in monitoring/, and --without leaves out a program that is installed.
    """
    signal.signal(signal.SIGTERM, _exit)
    defaults = StageOptions()
    options = StageOptions(
        workers=workers,
        without=frozenset(without),
        rules=rules or defaults.rules,
        speed=speed,
    )
    try:
        with _listen(port) as listener, Stage(options, _say) as stage:
            _describe(stage, listener, speed)
            asyncio.run(_serve(stage, listener, rate, seconds))
    except DemoError as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(EXIT_CODE)
    except KeyboardInterrupt:
        pass
    _say("everything has ended")


def _exit(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _say(text: str) -> None:
    click.echo(f"demo: {text}", err=True)


def _listen(port: int) -> socket.socket:
    """Return a socket that listens, so that nobody takes the port while the rest starts.

    Raises:
        DemoError: If the port is taken.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        message = f"port {port} of {HOST} cannot be used ({reason})"
        raise DemoError(f"{message}; type: scripts/demo --port 0") from error


def _describe(stage: Stage, listener: socket.socket, speed: float) -> None:
    for line in stage.missing.values():
        _say(line)
    _say(f"the service is at {stage.service_url}")
    if stage.prometheus is not None:
        _say(f"Prometheus is at {stage.prometheus.url}, its alerts are {speed:g} times as fast")
    click.echo(f"open http://{HOST}:{listener.getsockname()[1]}/ and break something; Ctrl-C ends")


async def _serve(stage: Stage, listener: socket.socket, rate: float, seconds: float | None) -> None:
    """Run the load and the page until Ctrl-C."""
    load = Load(stage.service_url, rate=rate, kept=int(rate * 2 * SECONDS))
    watch = Watch(stage, load)
    is_over = asyncio.Event()
    configuration = uvicorn.Config(
        make_page(stage, watch), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(configuration)
    tasks = [asyncio.create_task(load.run(is_over)), asyncio.create_task(watch.run())]
    if seconds is not None:
        tasks.append(asyncio.create_task(_end_after(server, seconds)))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


async def _end_after(server: uvicorn.Server, seconds: float) -> None:
    await asyncio.sleep(seconds)
    server.should_exit = True


if __name__ == "__main__":
    run_command(main, "demo")

"""`worker`: one process that looks after whatever runs of a store want it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import click

from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.errors import Fault, InvalidRequest
from agent.wording import clean, outside
from tools.language import tr

if TYPE_CHECKING:
    from agent.working.worker import Until, Worker
    from agent.working.works import Works

_EVERY_S = 0.5
"""How often the line on a terminal is drawn anew."""
_COUNT_S = 5.0
"""How often runs are counted for it."""


@shared(brief=True)
@click.command(epilog="Example: goalkeeper run --detach churn.yaml && goalkeeper worker")
@click.option("--concurrency", metavar="N", type=click.IntRange(1, 4096), default=None, help="Runs looked at at once.")
@click.option("--metrics", metavar="HOST:PORT", default=None, help="Serve its metrics there, for Prometheus.")
@click.option("--once", "until", flag_value="once", help="Look once at what is wanted now, and leave.")
@click.option("--until-idle", "until", flag_value="idle", help="Leave once no run has work under way.")
def worker(concurrency: int | None, metrics: str | None, until: Until | None) -> int:
    """Carry runs on: those that were left to it, wait for something, or lost the process that drove them.

    It holds nothing that another could not take over. On SIGTERM it finishes or hands over the step under way and
    leaves with exit code 0; a second signal ends it at once.
    """
    return perform(lambda door: _worker(door, concurrency, _address(metrics), until or "stopped"))


def _address(metrics: str | None) -> tuple[str, int] | None:
    """InvalidRequest for what is no HOST:PORT."""
    if metrics is None:
        return None
    host, colon, port = metrics.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        fault = tr("{metrics} is no address", metrics=outside(metrics))
        raise InvalidRequest(Fault(place="--metrics", what=fault, fix=tr("write it as 127.0.0.1:9464")))
    return host.strip("[]"), int(port)


def _worker(door: Door, concurrency: int | None, metrics: tuple[str, int] | None, until: Until) -> int:
    from agent.stopping import Stopping
    from agent.telemetry.serving import serve_metrics
    from agent.working.worker import CALLS, Worker
    from agent.working.works import Works

    settings = door.settings.model_copy(update={"now": None})
    works = Works.open(settings, metrics=metrics is not None, log="off" if door.err.isatty() else "text")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # whoever started it may leave
    with Stopping().heeding() as stopping:
        works.begin(stopping)
        screen = _Screen(door, works)
        if metrics is not None and (registry := works.telemetry.registry) is not None:
            door.note(tr("metrics: {address}", address=serve_metrics(*metrics, registry).url))
        worker = Worker(works, stopping=stopping, most=concurrency or CALLS, tell=screen.say)
        screen.worker = worker
        screen.begin()
        done = worker.work(until, shown=screen.draw)
        screen.end()
        if not done.under_way:
            works.close()  # else threads still use it, and the end of the process closes it
    if door.json:
        door.document(done)
    elif done.under_way:
        door.note(tr("left under way, for others to go on with: {runs}", runs=", ".join(done.under_way)))
    return 0


class _Screen:
    """What a person sees: a line that is drawn anew on a terminal, and sentences when something is wrong."""

    def __init__(self, door: Door, works: Works) -> None:
        self.worker: Worker | None = None
        self._door = door
        self._works = works
        self._live = door.err.isatty() and not door.json
        self._next = 0.0
        self._counted = 0.0
        self._waiting = 0
        self._drawn = 0

    def begin(self) -> None:
        if not self._door.json:
            store = tr("a shared database") if self._works.address is not None else str(self._works.home)
            self._door.note(tr("Carrying on the runs of {store}. Ctrl-C ends it; no run is lost.", store=store))

    def say(self, text: str) -> None:
        """From any thread."""
        self._wipe()
        self._door.note(clean(text))

    def draw(self) -> None:
        now = time.monotonic()
        if not self._live or now < self._next or self.worker is None:
            return
        self._next = now + _EVERY_S
        line = self._line(self.worker, now)
        self._door.err.write("\r" + line.ljust(self._drawn))
        self._door.err.flush()
        self._drawn = len(line)

    def end(self) -> None:
        self._wipe()

    def _line(self, worker: Worker, now: float) -> str:
        if now >= self._counted:
            self._waiting, self._counted = worker.suspended(), now + _COUNT_S
        soonest = worker.keeper.soonest
        line = tr("{busy} looked at now, {waiting} wait", busy=worker.hands.busy, waiting=self._waiting)
        if soonest is None:
            return line
        return line + tr("; the next is due in {s:.0f} s", s=max(0.0, soonest - self._works.clock.now()))

    def _wipe(self) -> None:
        if self._drawn:
            self._door.err.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

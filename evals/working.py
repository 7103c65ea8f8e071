"""A worker on a simulated world whose calls take real time: `python -m evals.working FOLDER STORE`.

The folder is a home beside the socket `w` of a world. What it prints is one JSON line, once it was told to stop: what
it did, and the CPU that took.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import cache
from pathlib import Path

from pydantic import SecretStr

from agent.brain.rules.brain import Rules
from agent.settings import Settings
from agent.stopping import Stopping
from agent.working.worker import CALLS, Worker
from agent.working.works import Works
from policies.judge import CedarPolicies
from policies.load import load_policies
from tools.dispatch import Dispatcher, Place, clock_of, open_backend
from tools.fence import run_of
from tools.record import Json

MANY = 100_000


class OfBench(Works):
    """Works whose looks at data are made once a process: they are no part of what is measured."""

    @property
    def _reader(self) -> Dispatcher:
        return _Reader(self._backend, approved=lambda _: None, now=self._clock.now)

    def changes(self) -> dict[str, list[float]]:
        """Run → when something of it in the world changed by itself, epoch seconds of the world."""
        found: dict[str, list[float]] = {}
        for effect in self._backend.effects:  # type: ignore[attr-defined]
            if effect.by == "world" and effect.kind not in ("job.started", "version.scaled"):
                found.setdefault(run_of(effect.token), []).append(effect.at)
        return found


class _Reader(Dispatcher):
    def read(self, name: str, args: Json) -> Json:
        if name != "profile_data":
            return super().read(name, args)
        key = json.dumps(args, sort_keys=True)
        if key not in _PROFILES:
            _PROFILES[key] = super().read(name, args)
        return _PROFILES[key]


_PROFILES: dict[str, Json] = {}


@cache
def _policies() -> CedarPolicies:
    """The shipped ones; as many jobs as there are, and no money in the way."""
    found = load_policies()
    assert isinstance(found, CedarPolicies)
    parallel = found.limits.parallel.model_copy(update={"jobs": MANY})
    return found.under(found.limits.model_copy(update={"parallel": parallel}))


def opened(folder: Path, store: str | None, *, latency_s: float = 0.0, lease_s: float | None = None) -> OfBench:
    """The home there, on its world."""
    place = Place(name="sim", home=str(folder), runtime="", socket=str(folder / "w"), latency_s=latency_s)
    backend = open_backend(place)
    clock = clock_of(backend)
    assert clock is not None
    works = OfBench(
        settings=Settings(
            home=folder / "home",
            runtime=folder / "runtime",
            audit=folder / "audit",
            user="ada",
            backend="sim",
            store=None if store is None else SecretStr(store),
        ),
        backend=backend,
        brain=Rules(),
        clock=clock,
        policies=_policies(),
    )
    works.lease_s = works.lease_s if lease_s is None else lease_s
    return works


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.working", description="A worker on a simulated world.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("store", nargs="?", help="address of a database server; else the home's own file")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="how long each call is on its way")
    parser.add_argument("--lease", type=float, default=None, metavar="S", help="how long it may go unheard")
    parser.add_argument("--concurrency", type=int, default=CALLS, metavar="N")
    given = parser.parse_args()
    import agent.graph  # noqa: F401  # a second that is no part of what is measured

    works = opened(given.folder, given.store, latency_s=given.latency, lease_s=given.lease)
    with Stopping().heeding() as stopping:
        works.begin(stopping)
        worker = Worker(
            works, stopping=stopping, most=given.concurrency, tell=lambda text: print(text, file=sys.stderr)
        )
        cpu = time.process_time()
        done = worker.work()
    print(json.dumps({**done.model_dump(), "cpu_s": time.process_time() - cpu}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

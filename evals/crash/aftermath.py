"""What a run leaves in its world, and how that differs from what it leaves when nothing strikes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evals.crash.bench import Bench, Wrong
from tools.backends.sim.effects import Effect
from tools.ports import Scope

ABSOLUTE = ("serving.extend", "serving.mirror", "serving.scale", "serving.split")
"""They set a state: setting the same once more is no second effect."""
CREATES = ("jobs.submit", "serving.deploy", "objects.put", "compute.provision")

Change = tuple[str, str, str, str]
"""(kind, call, target, arguments), without what chance chose and without the time."""


@dataclass(frozen=True)
class Aftermath:
    """What a run left of itself in its world."""

    effects: tuple[Change, ...]
    """Every change that a call made, sorted."""
    state: str
    """Endpoints, jobs and objects that are there."""
    owned: tuple[str, ...]
    """What somebody owns."""
    ending: str
    """Exit code, status, looks at the holdout and verdicts."""

    @property
    def made(self) -> Counter[tuple[str, ...]]:
        """What was created, by kind and by the call or name it is known by."""
        return Counter((e[0], e[1] or e[2]) for e in self.effects if e[0] in CREATES)


@dataclass(frozen=True)
class Difference:
    """How an aftermath departs from that of an undisturbed run."""

    duplicates: tuple[str, ...] = ()
    """Created more often than there."""
    orphans: tuple[str, ...] = ()
    """Left, and not left there."""
    missing: tuple[str, ...] = ()
    """Changes made there and not here."""
    more: tuple[str, ...] = ()
    """Anything else that is not as there."""

    @property
    def none(self) -> bool:
        return not (self.duplicates or self.orphans or self.missing or self.more)


def difference(left: Aftermath, whole: Aftermath, *, timeless: bool = False) -> Difference:
    """`timeless`: time went by that did not there, so what was measured, and what followed from that, may differ."""
    made, effects = left.made - whole.made, Counter(_as(left, timeless)) - Counter(_as(whole, timeless))
    lost = Counter(_as(whole, timeless)) - Counter(_as(left, timeless))
    more = [f"effect {' '.join(e)}" for e in effects if (e[0], e[1] or e[2]) not in made]
    if left.state != whole.state:
        more.append(f"state {left.state} instead of {whole.state}")
    if left.ending != whole.ending and not (timeless and left.ending.split(",")[:2] == whole.ending.split(",")[:2]):
        more.append(f"ending {left.ending} instead of {whole.ending}")
    return Difference(
        duplicates=tuple(" ".join(one) for one in made.elements()),
        orphans=tuple((Counter(left.owned) - Counter(whole.owned)).elements()),
        missing=tuple(" ".join(e) for e in lost.elements()),
        more=tuple(more),
    )


def _as(of: Aftermath, timeless: bool) -> Iterable[tuple[str, ...]]:
    return (e[:3] for e in of.effects) if timeless else of.effects


def aftermath(bench: Bench) -> Aftermath:
    client = bench.world
    with bench.session() as session:
        line, *others = session.runs().runs
        if others:
            raise Wrong(f"one goal became {len(others) + 1} runs")
        report = session.show(line.id).run
        reserved = session.view(line.id).reserved_usd
    log = [e for e in client.effects if e.by == "call"]
    names = {e.target: f"job({e.token.partition('/')[2]})" for e in log if e.kind == "jobs.submit"}
    seen = _Plain(line.id, names)
    snapshot = client.snapshot()
    endpoints = [
        (e.name, e.owner, [(v.name, v.state, v.weight, v.replicas) for v in e.versions]) for e in snapshot.endpoints
    ]
    jobs = sorted((seen.plain(j.id), j.program, j.phase) for j in snapshot.jobs)
    objects = sorted((seen.plain(key), _content(key, digest)) for key, digest in snapshot.objects.items())
    verdicts = [(c.part, c.metric, c.verdict, c.measured if c.part != "run" else None) for c in report.clauses]
    owned = [o for port in (client.jobs, client.serving, client.compute) for o in port.owned(Scope())]
    return Aftermath(
        effects=tuple(sorted(_once(seen.effect(e) for e in log))),
        state=repr((endpoints, jobs, objects)),
        owned=tuple(sorted(f"{o.kind} {seen.plain(o.id)} of {o.owner}" for o in owned)),
        ending=repr((report.exit_code, report.status, reserved, report.holdout_looks, verdicts)),
    )


def _content(key: str, digest: str) -> str:
    """What an object holds; the notes of what an endpoint was left with name the run and its time."""
    return "a note" if key.startswith("served/") else digest


def _once(effects: Iterator[Change]) -> Iterator[Change]:
    """Without repetitions of a change of an absolute state; a creation that comes twice stays twice."""
    last: dict[tuple[str, str], Change] = {}
    for effect in effects:
        key = (effect[0], effect[2])
        if effect[0] in ABSOLUTE and last.get(key) == effect:
            continue
        last[key] = effect
        yield effect


@dataclass(frozen=True)
class _Plain:
    """Takes out of a text what differs between two runs of the same: the run's id and the numbers of jobs."""

    run: str
    names: dict[str, str]

    def plain(self, text: str) -> str:
        known = re.sub(r"sim-job-\d+", lambda m: self.names.get(m[0], m[0]), text)
        return known.replace(self.run, "RUN")

    def effect(self, effect: Effect) -> Change:
        args = re.sub(r"'lease_until': [\d.]+", "'lease_until': L", repr(dict(sorted(effect.args.items()))))
        args = "a note" if effect.target.startswith("served/") else args
        return effect.kind, self.plain(effect.token), self.plain(effect.target), self.plain(args)

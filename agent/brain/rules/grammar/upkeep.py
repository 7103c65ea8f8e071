"""What keeps a contract alive after the rollout: watching, its rhythm, and when to train again."""

from __future__ import annotations

from dataclasses import dataclass

from agent.brain.rules.grammar.reading import Reading
from agent.contract import Upkeep


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """Whether something is watched, how often, and for how long."""

    watches: bool
    every_s: float | None = None
    for_s: float | None = None


def rhythm(reading: Reading, task: str, *, serves: bool) -> Rhythm:
    """Claims the durations of watching; to be called before metrics are aligned."""
    seen = [n for n in reading.where("act", "watch") if not reading.negated(n) and not _watches_step(reading, n)]
    again = [n for n in reading.where("act", "retrain") if not reading.negated(n) and not _at_once(reading, n)]
    checked = bool(reading.where("check") and reading.where("every"))
    looked = serves and any(
        reading.near(n, "every", before=4, after=3) is not None and not _watches_step(reading, n)
        for n in reading.where("check")
    )
    if (
        task != "watch"
        and not (seen and serves)
        and not looked
        and not (again and (serves or checked or _rhythmic(reading, again)))
    ):
        return Rhythm(watches=False)
    return Rhythm(watches=True, every_s=_every(reading), for_s=_lasting(reading))


def standing(reading: Reading, seen: Rhythm, breached: tuple[str, ...]) -> Upkeep | None:
    """The upkeep the goal asks for. `breached` are the metrics whose breach asks for a new training."""
    causes = _causes(reading, breached)
    if not seen.watches and not causes:
        return None
    return Upkeep.model_validate({"watch": True, "every_s": seen.every_s, "retrain_on": causes, "for_s": seen.for_s})


def _at_once(reading: Reading, verb: int) -> bool:
    """`retrain it on may.parquet`: a training of now, not one that some day brings."""
    later = any(reading.sentence_has(verb, kind) for kind in ("cond", "every"))
    return not later and any(reading[n].kind == "data" for n in reading.in_sentence(verb))


def _rhythmic(reading: Reading, verbs: list[int]) -> bool:
    return any(reading.near(n, "every", before=4, after=4) is not None for n in verbs)


def _watches_step(reading: Reading, at: int) -> bool:
    """`watch each step for ten minutes` is part of the rollout."""
    return reading.near(at, "step", before=3, after=3) is not None


def _causes(reading: Reading, breached: tuple[str, ...]) -> list[str]:
    found = ["drift" if name == "drift_psi" else "breach" for name in breached]
    for verb in reading.where("act", "retrain"):
        if reading.negated(verb):
            continue
        conditional = any(reading[n].means("cond") for n in reading.in_sentence(verb))
        for n in reading.in_sentence(verb):
            if _is_source(reading, n):
                continue  # `retrain on the new data march.csv`
            if reading[n].means("retrain_on") and (conditional or abs(n - verb) <= 4):
                found.append(reading[n].readings["retrain_on"])
            elif abs(n - verb) <= 3 and reading.clause(n) == reading.clause(verb) and _recurs(reading, n, verb):
                found.append("schedule")
    return list(dict.fromkeys(found))


def _is_source(reading: Reading, at: int) -> bool:
    near = [e for e in (reading.get(at + 1), reading.get(at + 2)) if e is not None]
    return reading[at].means("retrain_on", "new_data") and any(e.kind == "data" for e in near)


def _recurs(reading: Reading, at: int, verb: int) -> bool:
    """`weekly`, or the duration of `every 3 days`; in `check it every day and retrain when` the check recurs."""
    checks = any(
        reading[n].means("check") or reading[n].means("act", "watch") for n in reading.in_clause(verb) if n < at
    )
    if at < verb and checks and any(e.means("and") or e.means("then") for e in reading.between(at, verb)):
        return False
    if reading[at].means("every", "unit"):
        return False
    return reading[at].means("every") or (reading[at].dim == "duration" and reading[at - 1].means("every", "unit"))


def _every(reading: Reading) -> float | None:
    for at in reading.where("every"):
        if reading[at].means("every", "unit"):
            after = reading.get(at + 1)
            if after is not None and after.dim == "duration" and after.number and reading.free(at + 1):
                reading.claim(at + 1)
                return after.number
        elif not reading.near(at, "budget", before=6, after=6) and not _priced(reading, at):
            return float(reading[at].readings["every"])
    for at in reading.dims("duration"):
        after = reading.get(at + 1)
        if after is not None and after.text.endswith(("一次", "一遍", "一回", "一眼")):
            reading.claim(at)
            return reading[at].number  # `四小时看一次`
    return None


def _priced(reading: Reading, at: int) -> bool:
    return any(reading[n].dim == "money" and abs(n - at) <= 4 for n in reading.in_clause(at))


def _lasting(reading: Reading) -> float | None:
    for at in reading.dims("duration"):
        before = [e for e in (reading.get(at - 1), reading.get(at - 2)) if e is not None]
        looked = bool(before) and before[0].text in ("看", "盯", "查", "守", "连看", "连盯")
        cued = (looked or any(e.means("watchfor") for e in before)) and not any(e.means("cmp") for e in before[:1])
        object_of = reading.near(at, "act", "watch", before=6, after=2) is not None
        if (cued or object_of) and not any(e.means("every") for e in before[:1]):
            reading.claim(at)
            return reading[at].number
    return None

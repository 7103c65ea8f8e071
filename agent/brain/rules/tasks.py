"""What kind of work a part is, what it is about, and by which models.

Training wins over everything done to existing things, because a goal that trains says so; among the others the first
verb that is neither negated nor conditional decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules import kinds
from agent.brain.rules.lexicon import lexicon
from agent.brain.rules.reading import Reading
from tools.metrics import metric

_THINGS: Final = ("rollback", "deploy", "scale", "watch", "cleanup", "compare", "evaluate", "prepare", "diagnose")
_GENERIC: Final = ("take", "put", "get", "push", "move", "set", "bring", "switch", "make")
_SCALES: Final = re.compile(r"scal|upscale|downscale|扩|缩|伸缩", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """The task, and whether something is to be served afterwards."""

    task: str | None
    serves: bool
    assumed: str | None = None


def intent(reading: Reading) -> Intent:
    """What the part asks for; `task` is None when it does not say."""
    if _complains(reading) and not reading.kinds("data") and not reading.where("label"):
        return Intent(task="diagnose", serves=False)
    ways = [n for n in reading.where("strategy", "canary", "blue_green", "rolling", "shadow") if not reading.negated(n)]
    serves = bool(_positive(reading, "deploy") or ways) and not reading.where("onlytrain")
    if _positive(reading, "estimate"):
        return Intent(task="estimate", serves=False)
    if _trains(reading):
        task, assumed = kinds.model_task(reading)
        return Intent(task=task, serves=serves, assumed=assumed)
    thing = _thing(reading)
    if thing in ("deploy", "scale") and _described(reading):
        task, assumed = kinds.model_task(reading)
        return Intent(task=task, serves=serves, assumed=assumed)
    if thing is not None:
        return Intent(task=thing, serves=thing == "deploy")
    if reading.kinds("artefact", "version") and reading.kinds("data") and not serves:
        several = len({reading[n].text for n in reading.kinds("artefact")}) > 1
        return Intent(task="compare" if several else "evaluate", serves=False)
    if _learns(reading):
        task, assumed = kinds.model_task(reading)
        return Intent(task=task, serves=serves, assumed=assumed)
    if _counts(reading) and not (reading.where("strategy") and _versioned(reading)):
        return Intent(task="scale", serves=False)
    return _verbless(reading)


def _described(reading: Reading) -> bool:
    """Data to learn from and nothing that exists already: what is deployed must first be trained."""
    if reading.kinds("artefact", "version", "model_file"):
        return False
    bundled = any(reading[n].text.startswith("sklearn:") for n in reading.kinds("data")) or reading.where("bundled")
    scored = any(kinds.tasks_of(reading, n) for n in reading.where("metric"))
    named = reading.where("label") or scored or _positive(reading, "predict")
    return bool(bundled or (reading.kinds("data") and named))


def _verbless(reading: Reading) -> Intent:
    """What a goal without a verb asks for, by what it speaks of."""
    if reading.where("clean") and reading.kinds("data"):
        return Intent(task="prepare", serves=False)
    if (reading.where("strategy") or reading.where("traffic")) and _versioned(reading):
        return Intent(task="deploy", serves=True)
    if reading.where("symptom") and not reading.where("cmp") and (_measured_live(reading) or reading.where("noun")):
        return Intent(task="diagnose", serves=False)
    if (reading.where("check") and reading.where("every")) or _live(reading):
        return Intent(task="watch", serves=False)
    return Intent(task=None, serves=False)


def _positive(reading: Reading, act: str) -> list[int]:
    """Verbs that are wanted: not negated, and not what happens on a condition."""
    return [n for n in reading.where("act", act) if not reading.negated(n) and not _on_condition(reading, n)]


def _on_condition(reading: Reading, at: int) -> bool:
    """`roll back if`, `如果…就回滚`, `出现漂移就重新训练`."""
    entity = reading[at]
    if not (entity.means("abort") or entity.means("act", "retrain", "rollback", "cleanup")):
        return False
    if reading.sentence_has(at, "cond", "if", "unless", "otherwise"):
        return True
    before = [reading.get(n) for n in (at - 1, at - 2, at - 3)]
    then = any(e is not None and e.means("cond", "then") for e in before)
    return (then and reading.sentence_has(at, "cmp")) or (then and reading.sentence_has(at, "retrain_on"))


def _trains(reading: Reading) -> bool:
    verbs = [n for n in _positive(reading, "train") if not _adjective(reading, n)]
    if verbs:
        return not _names_thing_first(reading, verbs[0])
    again = [n for n in _positive(reading, "retrain") if not _positive(reading, "watch")]
    if again:
        return True
    return (
        bool(reading.where("family"))
        and not _existing(reading)
        and not _first_thing(reading, "deploy", "scale", "watch")
    )


def _adjective(reading: Reading, at: int) -> bool:
    """`the trained model`, `training time`, `训练好的模型` are no orders to train."""
    text = reading[at].text.lower()
    after = reading.get(at + 1)
    if text in ("trained", "tuned", "fitted", "fine tuned", "fine-tuned") and after is not None:
        return after.means("noun") or (reading.get(at - 1) is not None and reading[at - 1].means("det"))
    if text == "try" and not reading.where("family"):
        return True
    if text in ("训练", "微调") and after is not None and after.text.startswith(("好", "完", "出")):
        return True
    return after is not None and after.text.lower() in ("time", "data", "set", "cost", "集", "数据", "时间")


def _names_thing_first(reading: Reading, train: int) -> bool:
    watches = [n for n in _positive(reading, "watch") if n < train]
    return bool(watches) and not reading.kinds("data")


def _existing(reading: Reading) -> bool:
    return bool(reading.kinds("artefact", "model_file"))


def _first_thing(reading: Reading, *acts: str) -> bool:
    return any(_positive(reading, act) for act in acts) and not reading.kinds("data")


def _thing(reading: Reading) -> str | None:
    if _complains(reading):
        return "diagnose"
    found: list[tuple[int, str]] = []
    for act in _THINGS:
        found += [(n, act) for n in _positive(reading, act) if _stands(reading, n, act)]
    found.sort()
    if not found:
        return None
    first = found[0][1]
    acts = {act for _, act in found}
    if first == "evaluate" and "compare" in acts:
        return "compare"
    if first in ("evaluate", "watch") and "deploy" in acts:
        return "deploy"
    if first == "deploy" and "rollback" in acts and not reading.kinds("artefact", "version", "model_file"):
        return "rollback"
    return first


def _complains(reading: Reading) -> bool:
    asked = [n for n in reading.where("act", "diagnose") if not reading.negated(n)]
    return bool(asked)


def _stands(reading: Reading, at: int, act: str) -> bool:
    """Whether a verb with several uses is meant as this one."""
    if act == "watch":
        return reading.near(at, "step", before=3, after=3) is None
    if act == "deploy" and reading[at].text.lower() in _GENERIC and _counts(reading) and not _versioned(reading):
        return False
    if act == "deploy":
        return reading[at].text.lower() not in ("serving", "live", "release")
    if act == "evaluate":
        return _opens_clause(reading, at) and not _learns_strongly(reading)
    if act == "scale" and not _SCALES.match(reading[at].text) and not _counts(reading):
        return False
    if act in ("prepare", "scale"):
        return not _learns_strongly(reading)
    if act == "cleanup":
        return not (bool(reading.kinds("data")) and (reading[at].means("dropcol") or bool(reading.where("clean"))))
    if act == "compare":
        return not reading.where("family")
    return True


def _versioned(reading: Reading) -> bool:
    return bool(reading.kinds("artefact", "version", "model_file") or reading.where("env"))


def _counts(reading: Reading) -> bool:
    return bool(reading.where("replicas") or reading.dims("replica", free=False))


def _measured_live(reading: Reading) -> bool:
    metrics = [metric(reading[n].readings["metric"]) for n in reading.where("metric")]
    return any(m is not None and m.where == "live" for m in metrics)


def _live(reading: Reading) -> bool:
    """A demand on a named thing that runs, without a verb: it is to be kept."""
    return (
        _measured_live(reading)
        and bool(reading.kinds("quoted") or reading.where("noun", "endpoint"))
        and bool(reading.where("cmp"))
    )


def _opens_clause(reading: Reading, at: int) -> bool:
    """`evaluate model:v3` is an order; `the rest is test` is not."""
    before = [reading[n] for n in reading.in_clause(at) if n < at]
    polite = lexicon().words["polite"]
    return all(
        e.text.lower() in polite or e.means("filler") or e.means("from") or e.kind in ("artefact", "data")
        for e in before
    )


def _learns_strongly(reading: Reading) -> bool:
    predicts = _positive(reading, "predict")
    return bool(predicts) and bool(reading.kinds("data")) and not _existing(reading)


def _learns(reading: Reading) -> bool:
    if _positive(reading, "predict") or reading.where("task") or reading.where("family"):
        return True
    if any(reading[n].means("act", "predict") for n in range(len(reading))):
        return True
    known = reading.kinds("data", "checkpoint") or reading.where("bundled") or reading.where("label")
    scored = [n for n in reading.where("metric") if kinds.tasks_of(reading, n)]
    return bool(known and (scored or reading.where("label"))) or bool(scored)

"""What kind of work a part is, what it is about, and by which models.

Training wins over everything done to existing things, because a goal that trains says so; among the others the first
verb that is neither negated nor conditional decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules.grammar import kinds
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.rollout import prolonged
from tools.metrics import metric

_THINGS: Final = ("rollback", "deploy", "scale", "watch", "cleanup", "compare", "evaluate", "prepare", "diagnose")
_GENERIC: Final = ("take", "put", "get", "push", "move", "set", "bring", "switch", "make")
_SCALES: Final = Pattern(r"scal|upscale|downscale|扩|缩|伸缩", re.IGNORECASE)


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
    plain = _estimates_or_prolongs(reading, serves=serves)
    if plain is not None:
        return Intent(task=plain, serves=False)
    if _trains(reading) or (reading.kinds("program", "command") and not _existing(reading)):
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
    kept = _kept(reading)
    if kept is not None:
        return Intent(task=kept, serves=kept == "deploy")
    if _learns(reading):
        task, assumed = kinds.model_task(reading)
        return Intent(task=task, serves=serves, assumed=assumed)
    if _counts(reading) and not (reading.where("strategy") and _versioned(reading)):
        return Intent(task="scale", serves=False)
    return _verbless(reading)


def _estimates_or_prolongs(reading: Reading, *, serves: bool) -> str | None:
    if any(not _told_of(reading, n) for n in _positive(reading, "estimate")):
        return "estimate"
    lasts = prolonged(reading) is not None and not (reading.where("metric") or reading.where("check"))
    return "deploy" if lasts and not serves else None


def _told_of(reading: Reading, at: int) -> bool:
    """`our last attempt cost us $300` tells what was; only a question asks what something costs."""
    asks = ("what", "how", "will", "would", "does", "do", "much", "?", "tell me", "estimate")
    return reading[at].means("past") and not any(reading[n].text.lower() in asks for n in reading.in_sentence(at))


def _kept(reading: Reading) -> str | None:
    """A named thing that is to be looked at, trained again or resized, and nothing to learn from."""
    told = [n for n in reading.where("act", "retrain") if _on_condition(reading, n)]
    if told and reading.where("check") and reading.where("every"):
        return "watch"
    if reading.kinds("data"):
        return None
    again = reading.where("act", "retrain") and (reading.where("every") or reading.where("retrain_on"))
    named = reading.kinds("quoted") or reading.where("noun") or reading.where("check") or reading.where("retrain_on")
    if again and named:
        return "watch"
    placed = bool(reading.kinds("artefact")) and not reading.where("act", "scale")
    if (
        placed
        and (reading.where("env") or not _counts(reading))
        and (reading.where("noun", "endpoint") or _counts(reading))
    ):
        return "deploy"
    if _counts(reading) and not (reading.where("label") or reading.where("strategy")):
        return "scale"
    looked = reading.where("check") and reading.where("every") and reading.where("metric")
    return "watch" if looked else None


def _described(reading: Reading) -> bool:
    """Data to learn from and nothing that exists already: what is deployed must first be trained."""
    if reading.kinds("artefact", "version", "model_file"):
        return False
    bundled = any(reading[n].text.startswith("sklearn:") for n in reading.kinds("data")) or reading.where("bundled")
    scored = any(kinds.tasks_of(reading, n) for n in reading.where("metric"))
    named = (
        reading.where("label")
        or scored
        or _positive(reading, "predict")
        or reading.where("task")
        or reading.kinds("checkpoint")
    )
    return bool(bundled or ((reading.kinds("data") or reading.where("hub")) and named))


def _verbless(reading: Reading) -> Intent:
    """What a goal without a verb asks for, by what it speaks of."""
    if reading.where("clean") and reading.kinds("data"):
        return Intent(task="prepare", serves=False)
    placed = reading.kinds("artefact") and reading.where("env")
    if placed or ((reading.where("strategy") or reading.where("traffic")) and _versioned(reading)):
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
    if any(reading[n].text.lower() in ("means", "triggers", "意味着", "则") for n in reading.in_clause(at) if n < at):
        return entity.means("abort") or entity.means("act", "rollback")  # `p95 above 120 ms means rollback`
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
    recurs = reading.where("every") or reading.where("retrain_on")
    if again and (reading.kinds("data") or reading.where("label") or not recurs):
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
    if (
        text == "training"
        and after is not None
        and (after.means("neg") or after.means("demand") or after.text.lower() in _MODAL)
    ):
        return True  # `training must not take more than an hour`
    if text in ("训练", "微调") and after is not None and after.text.startswith(("好", "完", "出")):
        return True
    told = (
        "time",
        "data",
        "set",
        "cost",
        "job",
        "jobs",
        "run",
        "runs",
        "集",
        "数据",
        "时间",
        "任务",
        "作业",
        "脚本",
        "程序",
        "进程",
    )
    return after is not None and after.text.lower() in told and not reading.kinds("program", "command")


_MODAL: Final = ("may", "can", "takes", "should", "shall", "is", "has", "within", "at", "under")


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
    if (
        first == "deploy"
        and "compare" in acts
        and len({reading[n].text for n in reading.kinds("artefact")}) > 1
        and reading.kinds("data")
    ):
        return "compare"
    if (
        first == "scale"
        and "deploy" in acts
        and (reading.kinds("artefact", "version") or reading.where("version", "word"))
    ):
        return "deploy"
    kept = (
        reading[found[0][0]].text.lower() in ("keep", "让", "保持") and _counts(reading) and not reading.where("every")
    )
    if first == "watch" and kept:
        return "scale"
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
        noun = reading[at].text.lower() in ("serving", "live", "release")
        return not noun or (reading[at].text.lower() == "release" and _opens_clause(reading, at))
    if act == "evaluate":
        return _opens_clause(reading, at) and not _learns_strongly(reading)
    if act == "scale" and not _SCALES.match(reading[at].text) and not _counts(reading):
        return False
    if act in ("prepare", "scale"):
        return not _learns_strongly(reading)
    if act == "cleanup":
        return not (
            bool(reading.kinds("data"))
            and (reading[at].means("dropcol") or bool(reading.where("clean") or reading.where("blemish")))
        )
    if act == "compare":
        aside = reading[at].text.lower() in ("compared", "comparison") and not reading.kinds(
            "artefact", "version", "model_file"
        )
        return not reading.where("family") and not aside
    return True


def _versioned(reading: Reading) -> bool:
    told = any((e := reading.get(n + 1)) is not None and e.number is not None for n in reading.where("version", "word"))
    return told or bool(reading.kinds("artefact", "version", "model_file") or reading.where("env"))


def _counts(reading: Reading) -> bool:
    return bool(reading.where("replicas") or reading.dims("replica", free=False))


def _measured_live(reading: Reading) -> bool:
    metrics = [metric(reading[n].readings["metric"]) for n in reading.where("metric")]
    return any(m is not None and m.where == "live" for m in metrics)


def _live(reading: Reading) -> bool:
    """A demand on a named thing that runs, without a verb: it is to be kept."""
    changes = reading.where("compar") and reading.dims("percent", free=False)
    return (
        _measured_live(reading)
        and bool(reading.kinds("quoted") or reading.where("noun", "endpoint"))
        and bool(reading.where("cmp") or changes)
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

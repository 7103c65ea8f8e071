"""The embedded brain's understanding: a goal in English or Chinese becomes a contract, or is refused.

Deterministic, without network or model. It judges no feasibility: impossible values are understood as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from typing import Final

from agent.brain.protocol import Context
from agent.brain.rules.grammar import (
    clauses,
    data,
    limits,
    placement,
    preparing,
    rollout,
    search,
    targets,
    tasks,
    upkeep,
)
from agent.brain.rules.grammar.columns import protected
from agent.brain.rules.grammar.corrections import corrected
from agent.brain.rules.grammar.entities import entities
from agent.brain.rules.grammar.formulas import formulas, without_formulas
from agent.brain.rules.grammar.parts import parts
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.quantities import compose
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.refusals import refusal
from agent.brain.rules.grammar.scan import normalise, scan
from agent.brain.rules.grammar.spared import told_of, without_ruled_out
from agent.brain.rules.grammar.spelled import set_apart
from agent.contract import Clause, Contract, Data, Part, Refusal, Remark
from agent.goal import Goal
from agent.search import LADDER
from tools.language import tr

LONGEST = 10_000
"""Characters of a goal; more is a document, and reading it would take more than a moment."""
_PROGRAM: Final = "parts.0.train"
_SUPERVISED = ("classification", "text-classification", "token-classification", "regression", "forecasting")
_TRAINED = (*_SUPERVISED, "image-classification", "clustering", "recommendation", "causal-lm", "custom")


@dataclass(frozen=True, kw_only=True)
class _Understood:
    part: Part
    assumptions: tuple[Remark, ...]
    questions: tuple[Remark, ...]


class Rules:
    """The brain `rules`, its first method."""

    name = "rules"

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal:
        """The contract the text states, with assumptions and questions; or why it is not ours."""
        if len(goal.text) > LONGEST:
            reason = tr("The goal has {n} characters; state it in at most {most}.", n=len(goal.text), most=LONGEST)
            return Refusal(reason=reason, rule="too_long")
        whole = read(goal.text)
        refused = refusal(whole)
        if refused is not None:
            return refused
        place = placement.place(whole)
        pieces = parts(without_ruled_out(whole))
        found = [_part(piece, n, place.environment) for n, piece in enumerate(pieces)]
        understood = [part for part in found if part is not None]
        money = limits.budget(whole)
        time = limits.deadline(whole, now=context.now, utc_offset_s=context.utc_offset_s)
        questions = [q for u in understood for q in u.questions]
        if not understood:
            questions.append(
                Remark(field="parts", text=tr("What is wanted? Name a model to train, deploy, watch or repair."))
            )
        questions += [
            Remark(field=_PROGRAM, text=tr("`{command}` is what somebody else said; is it to be run?", command=command))
            for command in told_of(whole)
        ]
        questions += [q for q in (money.question, time.question) if q is not None]
        assumptions = [a for u in understood for a in u.assumptions]
        assumptions += [a for a in (money.assumption, time.assumption) if a is not None]
        return Contract.model_validate(
            {
                "parts": tuple(unique([u.part for u in understood])),
                "budget_usd": money.usd,
                "budget_per": money.per,
                "deadline_s": time.seconds,
                "environment": place.environment,
                "namespace": place.namespace,
                "placement": place.placement,
                "constraints": place.constraints,
                "assumptions": tuple(assumptions),
                "questions": tuple(questions),
            }
        )


def read(text: str) -> Reading:
    """A goal's text as entities with their scopes."""
    plain = normalise(text)
    found = without_formulas(set_apart(entities(scan(plain)), plain), plain)
    return protected(Reading(corrected(compose(found)), plain))


def _part(reading: Reading, number: int, environment: str | None) -> _Understood | None:
    wanted = tasks.intent(reading)
    task = wanted.task
    if task is None:
        return None
    trained = task in _TRAINED
    sets = data.data_sets(reading, task) if task not in ("cleanup", "scale", "rollback") else ()
    fields: dict[str, object] = {
        "task": task,
        "data": sets,
        "prepare": preparing.preparation(reading, task) if trained or task == "prepare" else None,
        "split": preparing.splitting(reading) if trained or task in ("prepare", "evaluate") else None,
        "train": targets.program(reading) if trained else None,
        "search": search.search(reading) if trained else None,
    }
    subject = targets.subject(reading, task, models=trained)
    serving = rollout.serving(reading, task, serves=wanted.serves, environment=environment)
    rhythm = upkeep.rhythm(reading, task, serves=wanted.serves)
    demands = clauses.demands(reading, task, serves=wanted.serves)
    fields |= {
        "name": subject.target or subject.subject or "model",
        "target": subject.target,
        "source_models": subject.source_models,
        "objective": demands.objective,
        "models": _families(reading, task) if trained else targets.families(reading) if task == "estimate" else (),
        "clauses": _kept(demands.clauses, task),
        "metrics": _own_metrics(reading, demands.clauses),
        "rollout": serving.rollout,
        "upkeep": upkeep.standing(reading, rhythm, demands.retrain),
    }
    part = Part.model_validate(fields)
    return _Understood(
        part=part,
        assumptions=tuple(_assumptions(number, part, wanted, serving, demands)),
        questions=(
            *_questions(reading, number, part),
            *_turned(number, demands),
            *_below_zero(reading, number, part),
            *_unclear(reading, number, part),
            *([Remark(field=f"parts.{number}.rollout.replicas", text=serving.question)] if serving.question else ()),
        ),
    )


def _kept(found: tuple[Clause, ...], task: str) -> tuple[Clause, ...]:
    """An estimate demands nothing; a cleanup only what it leaves behind."""
    if task == "estimate":
        return ()
    return tuple(c for c in found if task != "cleanup" or c.metric == "orphaned_resources")


def _own_metrics(reading: Reading, found: tuple[Clause, ...]) -> dict[str, str] | None:
    """Formulas of the `custom:` metrics that the part's clauses rest on."""
    used = {c.metric.removeprefix("custom:") for c in found}
    return {name: formula for name, formula in formulas(reading.text).items() if name in used} or None


_NEGATIVE: Final = Pattern(r"(?<![\w.,)\]}-])-[$¥€]?\d|(?<![\w.])NaN(?!\w)", re.IGNORECASE)
_SIGNED: Final = ("r2", "mcc", "silhouette")


def _turned(number: int, demands: clauses.Demands) -> Iterator[Remark]:
    for name in demands.turned:
        yield Remark(
            field=f"parts.{number}.clauses", text=tr("The goal demands the worse of {name}; what is meant?", name=name)
        )


def _below_zero(reading: Reading, number: int, part: Part) -> Iterator[Remark]:
    """Figures that no demand, budget or count here can have."""
    if part.train is None and _NEGATIVE.search(reading.text) and not any(c.metric in _SIGNED for c in part.clauses):
        yield Remark(
            field=f"parts.{number}.clauses", text=tr("The goal holds a figure that is no amount; what is meant?")
        )


_ERRORS: Final = ("error", "errors", "mistakes", "误差", "错误", "出错")


def _unclear(reading: Reading, number: int, part: Part) -> Iterator[Remark]:
    """A bound on an error that is no metric, and a yardstick without anything to measure by."""
    if part.task not in _TRAINED:
        return
    field = f"parts.{number}.clauses"
    for at in (n for n, e in enumerate(reading.entities) if e.text.lower() in _ERRORS and not e.means("metric")):
        ahead = range(at + 1, min(at + 5, len(reading)))
        if set(ahead) & set(reading.dims("percent")) & set(reading.in_clause(at)):
            yield Remark(field=field, text=tr("Which error is meant? Name the metric that is to be measured."))
            return
    beats = set(reading.where("cmp", "better"))
    against = [n for n in reading.where("comparand") if beats & {n - 1, n - 2}]
    if against and not part.clauses and part.objective is None:
        text = tr("By which metric is the model to beat {what}?", what=reading[against[0]].text)
        yield Remark(field=field, text=text)


def _families(reading: Reading, task: str) -> tuple[str, ...]:
    """The families that are named; else, where some are ruled out, the usual ones without those."""
    named, ruled_out = targets.families(reading), targets.excluded(reading)
    usual = next((rungs for kind, rungs in LADDER.items() if kind == task), ())
    tried = tuple(f for rung in usual for f in rung)
    if named or not set(tried) & set(ruled_out):
        return named  # nothing that would be tried is ruled out
    return tuple(f for f in tried if f not in ruled_out)


def _assumptions(
    number: int, part: Part, wanted: tasks.Intent, serving: rollout.Serving, demands: clauses.Demands
) -> Iterator[Remark]:
    if part.task == "forecasting":
        reach = tr("a forecast reaches a season of the data ahead, and is judged up to there")
        yield Remark(field=f"parts.{number}.split", text=reach)
    if wanted.assumed:
        yield Remark(field=f"parts.{number}.task", text=wanted.assumed)
    if serving.assumed:
        yield Remark(field=f"parts.{number}.rollout.strategy", text=serving.assumed)
    for name in demands.assumed:
        yield Remark(
            field=f"parts.{number}.clauses", text=tr("`latency` without a percentile is read as {name}", name=name)
        )


def _questions(reading: Reading, number: int, part: Part) -> Iterator[Remark]:
    named = data.labels(reading) if part.task in _TRAINED and part.data else []
    if len(named) > 1:
        both = tr(" and ").join(f"`{name}`" for name in named)
        yield Remark(
            field=f"parts.{number}.data.0.label",
            text=tr("The goal names {both} as the label; which one holds?", both=both),
        )
    else:
        yield from missing(number, part)


def missing(number: int, part: Part) -> Iterator[Remark]:
    """What a training cannot do without and the part does not have."""
    if part.task not in _TRAINED:
        return
    if not part.data:
        yield Remark(field=f"parts.{number}.data", text=tr("Which data is the model to be trained on?"))
    elif part.task in _SUPERVISED and not any(_knows_label(d) for d in part.data):
        yield Remark(
            field=f"parts.{number}.data.0.label",
            text=tr("Which column of {data} is to be predicted?", data=part.data[0].uri),
        )


def _knows_label(found: Data) -> bool:
    return found.label is not None or found.format in ("bundled", "hub", "images", "folder", "text")


def unique(found: list[Part]) -> list[Part]:
    """Parts with names and clause ids that are unique within the contract."""
    names: set[str] = set()
    result: list[Part] = []
    for part in found:
        name = next(n for n in chain((part.name,), (f"{part.name}-{k}" for k in count(2))) if n not in names)
        names.add(name)
        ids = {c.id for p in result for c in p.clauses}
        numbered = tuple(c.model_copy(update={"id": f"{name}.{c.id}"}) if c.id in ids else c for c in part.clauses)
        result.append(part.model_copy(update={"name": name, "clauses": numbered}))
    return result

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
from agent.brain.rules import clauses, data, limits, placement, preparing, rollout, search, targets, tasks, upkeep
from agent.brain.rules.corrections import corrected
from agent.brain.rules.entities import entities
from agent.brain.rules.parts import parts
from agent.brain.rules.quantities import compose
from agent.brain.rules.reading import Reading
from agent.brain.rules.refusals import refusal
from agent.brain.rules.scan import normalise, scan
from agent.contract import Contract, Data, Part, Refusal, Remark
from agent.goal import Goal
from agent.search import LINEAR

LONGEST = 10_000
"""Characters of a goal; more is a document, and reading it would take more than a moment."""
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
            reason = f"The goal has {len(goal.text)} characters; state it in at most {LONGEST}."
            return Refusal(reason=reason, rule="too_long")
        whole = read(goal.text)
        refused = refusal(whole)
        if refused is not None:
            return refused
        place = placement.place(whole)
        pieces = parts(whole)
        found = [_part(piece, n, place.environment) for n, piece in enumerate(pieces)]
        understood = [part for part in found if part is not None]
        money = limits.budget(whole)
        time = limits.deadline(whole, now=context.now, utc_offset_s=context.utc_offset_s)
        questions = [q for u in understood for q in u.questions]
        if not understood:
            questions.append(
                Remark(field="parts", text="What is wanted? Name a model to train, deploy, watch or repair.")
            )
        questions += [q for q in (money.question, time.question) if q is not None]
        assumptions = [a for u in understood for a in u.assumptions]
        assumptions += [a for a in (money.assumption, time.assumption) if a is not None]
        return Contract.model_validate(
            {
                "parts": tuple(_unique([u.part for u in understood])),
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
    return Reading(corrected(compose(entities(scan(plain)))), plain)


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
        "models": _families(reading, task) if trained else (),
        "clauses": demands.clauses if task not in ("estimate", "cleanup") else (),
        "rollout": serving.rollout,
        "upkeep": upkeep.standing(reading, rhythm, demands.retrain),
    }
    part = Part.model_validate(fields)
    return _Understood(
        part=part,
        assumptions=tuple(_assumptions(number, wanted, serving, demands)),
        questions=(*_questions(reading, number, part), *_turned(number, demands), *_below_zero(reading, number, part)),
    )


_NEGATIVE: Final = re.compile(r"(?<![\w.,)\]}-])-\s?[$¥€]?\d|(?<![\w.])NaN(?!\w)", re.IGNORECASE)
_SIGNED: Final = ("r2", "mcc", "silhouette")


def _turned(number: int, demands: clauses.Demands) -> Iterator[Remark]:
    for name in demands.turned:
        yield Remark(field=f"parts.{number}.clauses", text=f"The goal demands the worse of {name}; what is meant?")


def _below_zero(reading: Reading, number: int, part: Part) -> Iterator[Remark]:
    """Figures that no demand, budget or count here can have."""
    if part.train is None and _NEGATIVE.search(reading.text) and not any(c.metric in _SIGNED for c in part.clauses):
        yield Remark(field=f"parts.{number}.clauses", text="The goal holds a figure that is no amount; what is meant?")


def _families(reading: Reading, task: str) -> tuple[str, ...]:
    """The families that are named; else, where some are ruled out, the usual ones without those."""
    named, ruled_out = targets.families(reading), targets.excluded(reading)
    if named or not ruled_out or task not in LINEAR:
        return named
    return tuple(f for f in (LINEAR[task], "gradient_boosting", "random_forest") if f not in ruled_out)


def _assumptions(
    number: int, wanted: tasks.Intent, serving: rollout.Serving, demands: clauses.Demands
) -> Iterator[Remark]:
    if wanted.assumed:
        yield Remark(field=f"parts.{number}.task", text=wanted.assumed)
    if serving.assumed:
        yield Remark(field=f"parts.{number}.rollout.strategy", text=serving.assumed)
    for name in demands.assumed:
        yield Remark(field=f"parts.{number}.clauses", text=f"`latency` without a percentile is read as {name}")


def _questions(reading: Reading, number: int, part: Part) -> Iterator[Remark]:
    if part.task not in _TRAINED:
        return
    if not part.data:
        yield Remark(field=f"parts.{number}.data", text="Which data is the model to be trained on?")
        return
    named = data.labels(reading)
    if len(named) > 1:
        both = " and ".join(f"`{name}`" for name in named)
        yield Remark(field=f"parts.{number}.data.0.label", text=f"The goal names {both} as the label; which one holds?")
    elif part.task in _SUPERVISED and not any(_knows_label(d) for d in part.data):
        yield Remark(
            field=f"parts.{number}.data.0.label", text=f"Which column of {part.data[0].uri} is to be predicted?"
        )


def _knows_label(found: Data) -> bool:
    return found.label is not None or found.format in ("bundled", "hub", "images", "folder", "text")


def _unique(found: list[Part]) -> list[Part]:
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

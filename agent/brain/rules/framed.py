"""A correction read on its own terms: the few words of it are understood beside a goal that says nothing else.

`p95 under 80 ms` has no subject; set behind a plain goal of the same task it is a demand of a served model. What the
plain goal gives is taken away again, so only what was said is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agent.brain.protocol import Context
from agent.brain.rules.grammar.understand import Rules, read
from agent.contract import Clause, Contract, Data, Part, Refusal, Remark, Rollout
from agent.goal import Goal
from tools.record import Record

_DATA: Final = "framed.csv"
_NAME: Final = "framed"
_TRAINED: Final[Mapping[str, str]] = {
    "classification": "Train a classification model on",
    "text-classification": "Train a text classification model on",
    "image-classification": "Train an image classification model on",
    "token-classification": "Train a token classification model on",
    "regression": "Train a regression model on",
    "forecasting": "Train a forecasting model on",
    "clustering": "Train a clustering model on",
    "recommendation": "Train a recommendation model on",
    "causal-lm": "Fine-tune a causal language model on",
    "custom": "Train a custom model on",
    "prepare": "Prepare",
}
_SERVED: Final[Mapping[str, str]] = {
    "none": "",
    "direct": " and deploy it",
    "rolling": " and deploy it with a rolling update",
    "blue_green": " and deploy it blue/green",
    "canary": " and deploy it as a canary",
    "shadow": " and deploy it in shadow",
}
_THINGS: Final[Mapping[str, str]] = {
    "deploy": "Deploy the model framed to the endpoint",
    "rollback": "Roll back the endpoint",
    "scale": "Scale the endpoint",
    "watch": "Watch the endpoint",
    "evaluate": "Evaluate the model",
    "compare": "Compare the models",
    "estimate": "Estimate the cost of the endpoint",
    "cleanup": "Clean up the endpoint",
    "diagnose": "Diagnose the endpoint",
}
_PLACES: Final = ("environment", "namespace", "deadline_s", "budget_usd", "budget_per")


class Said(Record):
    """What a correction says of one part, and of the whole."""

    whole: Mapping[str, object] = {}
    """Fields of the contract that it sets."""
    placement: Mapping[str, object] = {}
    constraints: tuple[str, ...] = ()
    part: Mapping[str, object] = {}
    """Fields of the part that it sets, clauses and data apart."""
    rollout: Mapping[str, object] = {}
    clauses: tuple[Clause, ...] = ()
    data: tuple[Data, ...] = ()
    label: str | None = None
    assumptions: tuple[Remark, ...] = ()
    questions: tuple[Remark, ...] = ()

    @property
    def about_part(self) -> bool:
        return bool(self.part or self.rollout or self.clauses or self.data or self.label)

    @property
    def anything(self) -> bool:
        return bool(self.about_part or self.whole or self.placement or self.constraints or self.questions)

    def figures(self) -> Iterator[float]:
        """Every number it sets."""
        found = [*self.whole.values(), *self.placement.values(), *self.rollout.values()]
        found += [number for clause in self.clauses for number in (clause.value, clause.confidence, clause.window_s)]
        found += [c.relative.delta for c in self.clauses if c.relative is not None]
        for value in self.part.values():
            found += value.model_dump().values() if isinstance(value, Record) else ()
        for value in list(found):
            found += value if isinstance(value, tuple) else ()
        yield from (float(v) for v in found if isinstance(v, int | float) and not isinstance(v, bool))


def said_of(part: Part, text: str, context: Context) -> Said:
    """What the text says when this part is what it speaks of."""
    said = _said(_frame(part), text, context)
    if said.anything or part.task not in _TRAINED or part.rollout.strategy == "none":
        return said
    kept = part.model_copy(update={"rollout": Rollout()})
    return Said(rollout=_said(_frame(kept), text, context).rollout)  # it may say how to deploy, and nothing else


def _said(frame: str, text: str, context: Context) -> Said:
    plain, told = _understood(frame, context), _understood(f"{frame}. {text}", context)
    if plain is None or told is None or not plain.parts or not told.parts:
        return Said()
    return _beyond(plain, told)


def figures(text: str) -> list[tuple[float, str]]:
    """(number, dimension) of every figure in the text, in the canonical unit: ratios, seconds, dollars."""
    return [(e.number, e.dim) for e in read(text).entities if e.number is not None and e.exact]


def _frame(part: Part) -> str:
    if part.task in _TRAINED:
        return f"{_TRAINED[part.task]} {_DATA}{_SERVED[part.rollout.strategy]}"
    return f"{_THINGS[part.task]} {_NAME}"


def _understood(text: str, context: Context) -> Contract | None:
    plain = context.model_copy(update={"before": None, "said": ()})
    answer = Rules().understand(Goal.of(text, source="correction"), plain)
    return None if isinstance(answer, Refusal) else answer


def _beyond(plain: Contract, told: Contract) -> Said:
    base, part = plain.parts[0], told.parts[0]
    known = {d.uri for d in base.data}
    label = next((d.label for d in part.data if d.uri in known and d.label), None)
    kept = {name: getattr(part, name) for name in ("objective", "prepare", "split", "train", "search", "upkeep")}
    return Said(
        whole={name: getattr(told, name) for name in _PLACES if getattr(told, name) is not None},
        placement=_set(plain.placement, told.placement),
        constraints=tuple(c for c in told.constraints if c not in plain.constraints),
        part={name: value for name, value in kept.items() if value is not None and value != getattr(base, name)}
        | {name: getattr(part, name) for name in ("models",) if getattr(part, name) != getattr(base, name)},
        rollout=_set(base.rollout, part.rollout),
        clauses=tuple(c for c in part.clauses if c not in base.clauses),
        data=tuple(d for d in part.data if d.uri not in known),
        label=label,
        assumptions=tuple(a for a in told.assumptions if a not in plain.assumptions),
        questions=tuple(q for q in told.questions if q not in plain.questions),
    )


def _set(plain: Record, told: Record) -> dict[str, object]:
    names = type(told).model_fields
    return {name: getattr(told, name) for name in names if getattr(told, name) != getattr(plain, name)}

"""An asker that answers from a script, checked as the real one's answers are, and answers drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.brain.llm.client.errors import NoAnswer, Nonsense, Unavailable
from agent.brain.llm.client.strict import schema_of
from agent.lines import Purpose
from prompts.load import load
from tools.record import Json

R = TypeVar("R", bound=BaseModel)
Turn = Json | NoAnswer | Callable[[Mapping[str, str], type[BaseModel]], Json]


class ScriptedAsker:
    """One turn a request: an answer, an error, or a function of the variables and the answer's type."""

    def __init__(self, *turns: Turn, endless: bool = False) -> None:
        """`endless`: the last turn is every later one as well."""
        self._turns = list(turns)
        self._endless = endless
        self.rendered: list[str] = []
        """What the model would have read, each time."""
        self.faults: list[tuple[str, ...]] = []
        """What was wrong with an answer, each time something was."""
        self.instead: list[str] = []

    def ask(
        self,
        purpose: Purpose,
        prompt: str,
        variables: Mapping[str, str],
        answer: type[R],
        *,
        check: Callable[[R], tuple[str, ...]],
    ) -> R:
        self.rendered.append(load(prompt).render(variables))
        for _ in range(2):
            made, faults = self._checked(self._next(variables, answer), answer, check)
            if made is not None:
                return made
            self.faults.append(faults)
        raise Nonsense("it keeps answering nonsense", *faults)

    def _checked(
        self, said: Json, answer: type[R], check: Callable[[R], tuple[str, ...]]
    ) -> tuple[R | None, tuple[str, ...]]:
        try:
            made = answer.model_validate(said)
        except ValidationError as error:
            return None, tuple(e["msg"] for e in error.errors())
        faults = check(made)
        return (None, faults) if faults else (made, ())

    def _next(self, variables: Mapping[str, str], answer: type[BaseModel]) -> Json:
        if not self._turns:
            raise Unavailable("the script is over")
        turn = self._turns[0] if self._endless and len(self._turns) == 1 else self._turns.pop(0)
        if isinstance(turn, NoAnswer):
            raise turn
        return turn(variables, answer) if callable(turn) else turn

    def note_instead(self, purpose: Purpose) -> None:
        self.instead.append(purpose)


def steps(*made: Json) -> Json:
    return {"kind": "steps", "reads": [], "steps": list(made)}


def reads(*made: Json) -> Json:
    return {"kind": "reads", "reads": list(made), "steps": []}


def drawn(answer: type[BaseModel], rng: random.Random, words: Iterable[str]) -> Json:
    """An answer that its schema allows and nothing else can be said of."""
    schema = schema_of(answer)
    made: Json = _drawn(schema, schema.get("$defs", {}), rng, list(words))
    return made


def fitting(answer: type[BaseModel], rng: random.Random, words: Iterable[str]) -> Json:
    """One that the record allows as well."""
    listed = list(words)
    while True:
        made = drawn(answer, rng, listed)
        try:
            answer.model_validate(made)
        except ValidationError:
            continue
        return made


def _drawn(node: Json, named: Json, rng: random.Random, words: list[str]) -> Any:
    if "$ref" in node:
        return _drawn(named[node["$ref"].rpartition("/")[2]], named, rng, words)
    if "anyOf" in node:
        return _drawn(rng.choice(node["anyOf"]), named, rng, words)
    if "enum" in node:
        return rng.choice(node["enum"])
    match node["type"]:
        case "object":
            return {name: _drawn(field, named, rng, words) for name, field in node["properties"].items()}
        case "array":
            return [_drawn(node["items"], named, rng, words) for _ in range(rng.choice((0, 0, 1, 1, 2, 4)))]
        case "integer":
            return rng.choice((1, 1, 2, 2, 3, 4, 0, -1, 1000, 2**70))
        case "number":
            return rng.choice((60.0, 900.0, 0.0, -1.0, 1e300))
        case "boolean":
            return rng.random() < 0.5
        case "null":
            return None
        case _:
            return rng.choice(words)

"""One part's plan in the making: the steps so far and the facts they provide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent import estimate, learning, memory
from agent.brain.protocol import Terms
from agent.contract import Clause, Contract, Part
from agent.memory import Expected
from agent.past import Sized
from agent.plan import NOTHING, Estimate, Range, Step
from agent.survey import Survey
from tools.catalogue import BY_NAME
from tools.recipes.records import Task
from tools.record import Json

LOOKUPS = ("find_model", "bring_model")
"""Tools that make an existing model usable."""


@dataclass
class Draft:
    """One part's steps, growing from the facts that are wanted."""

    contract: Contract
    survey: Survey
    terms: Terms
    part: Part
    prefix: str
    results: Mapping[str, Json]
    steps: list[Step] = field(default_factory=list)
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Fact → ids of the steps that provide it."""
    level: int = 0

    @property
    def endpoint(self) -> str:
        return self.part.endpoint

    def carry(self) -> None:
        """Know the facts that carried steps provide."""
        for step in self.steps:
            if step.tool in LOOKUPS and not step.id.startswith(self.prefix + "find"):
                continue  # a model to compare with is not the one that is wanted
            tool = BY_NAME[step.tool]
            for fact in tool.provides:
                same = fact in ("candidate",)
                self.facts[fact] = (*self.facts.get(fact, ()), step.id) if same else (step.id,)
            if step.tool in ("tune_model", "select_model", "launch_training"):
                self.level = max(self.level, step.round)

    def add(
        self,
        name: str,
        tool: str,
        args: Json,
        *,
        seconds: Range = NOTHING,
        needs: tuple[str, ...] = (),
        measures: tuple[Clause, ...] = (),
        round_: int = 0,
        limit_s: float | None = None,
    ) -> str:
        id_ = self.prefix + name
        costs = BY_NAME[tool].uses in ("jobs", "serving", "machines")
        self.steps.append(
            Step(
                id=id_,
                tool=tool,
                part=self.part.name,
                effect=BY_NAME[tool].effect,
                needs=tuple(dict.fromkeys(needs)),
                args=args,
                estimate=estimate.estimate(seconds, self.survey) if costs else Estimate(seconds=seconds),
                limit_s=limit_s if limit_s is not None else estimate.limit_s(seconds, self.contract.deadline_s),
                measures=tuple(f"{self.part.name}/{c.id}" for c in measures),
                round=round_,
            )
        )
        return id_

    def of(self, fact: str) -> str:
        return self.facts[fact][-1]

    @property
    def task(self) -> Task:
        """What kind of learning the part is about."""
        return learning.task_of(self.part, self.survey)

    def takes(
        self, tool: Sized, *, family: str | None = None, trials: int = 0, command: Sequence[str] = ()
    ) -> Expected:
        """How long a tool will take for this part: as comparable work took, else by rule of thumb. A size that is
        only guessed is like no other."""
        work = estimate.work(self.survey, self.part, tool, family=family, trials=trials, command=command)
        past = self.survey.past if estimate.known_size(self.survey, self.part) else ()
        return memory.expected(past, work)

    def limit_s(self, expected: Expected) -> float:
        return estimate.limit_s(expected.bound, self.contract.deadline_s)

    @staticmethod
    def seed(salt: int = 0) -> int:
        """Fixed by what is planned, so that the same goal gives the same run."""
        return 1000 * salt + 7


def nth(level: int) -> str:
    """What the names of a later round's steps end with."""
    return "" if level == 0 else f"-{level + 1}"

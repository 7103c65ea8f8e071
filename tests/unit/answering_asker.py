"""An asker without a model: it answers with records stated beforehand, through the same check and one mending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel

from agent.brain.llm.client.errors import NoAnswer, Nonsense

R = TypeVar("R", bound=BaseModel)


class AnsweringAsker:
    """Gives its answers in turn, the last one for ever; an error in their place is raised.

    `heedless`: what the check finds keeps no answer back.
    """

    def __init__(self, *answers: BaseModel | NoAnswer, heedless: bool = False) -> None:
        self.answers = list(answers)
        self.heedless = heedless
        self.sent: list[dict[str, str]] = []
        self.faults: list[tuple[str, ...]] = []
        self.instead: list[str] = []

    def ask(
        self,
        purpose: str,
        prompt: str,
        variables: Mapping[str, str],
        answer: type[R],
        *,
        check: Callable[[R], tuple[str, ...]],
    ) -> R:
        del purpose, prompt
        for _ in range(2):
            self.sent.append(dict(variables))
            said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(said, NoAnswer):
                raise said
            made = answer.model_validate_json(said.model_dump_json())
            self.faults.append(check(made))
            if not self.faults[-1] or self.heedless:
                return made
        raise Nonsense("it is no answer after one repair", *self.faults[-1])

    def note_instead(self, purpose: str) -> None:
        self.instead.append(purpose)

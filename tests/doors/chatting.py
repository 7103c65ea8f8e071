"""A conversation over the fake world, line by line, with what was said beside it kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Self

from fake_session import FakeWorld

from agent.documents import Pending, RunDocument
from agent.doors.chat.conversation import Conversation
from agent.doors.chat.journal import taken_up
from agent.doors.chat.told import Told

GOAL = "Predict species from penguins.csv with at least 0.9 accuracy."
ASKING = "ask: predict species from penguins.csv with at least 0.9 accuracy."
LONGEST_S = 20.0


@dataclass
class Beside:
    """Keeps what happens between two turns."""

    shows_ends: bool = False
    notices: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    ends: list[RunDocument] = field(default_factory=list)
    nudges: int = 0

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def question(self, pending: Pending) -> None:
        self.questions.append(pending.id)

    def ended(self, document: RunDocument) -> None:
        self.ends.append(document)

    def nudge(self) -> None:
        self.nudges += 1


class Chat:
    """One conversation of ann's."""

    def __init__(self, world: FakeWorld, *, name: str = "chat-1", user: str = "ann") -> None:
        self.world = world
        self.beside = Beside()
        session, doing = world.open(None), world.open(None)  # type: ignore[arg-type]
        self.talk = Conversation(
            name=name,
            session=session,  # type: ignore[arg-type]
            doing=doing,  # type: ignore[arg-type]
            user=user,
            accept=False,
            folder=".",
            voice=None,
            late=self.beside,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.talk.leave()

    def say(self, line: str) -> Told:
        return self.talk.turn(line, self.talk.standing())

    def rest(self) -> None:
        """Until what is carried out ends or waits."""
        assert self.talk.driver.wait(LONGEST_S)

    def reach(self, step: str) -> None:
        """Until the run is at a step."""
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            view = self.talk.driver.view
            if view is not None and any(s.id == step and s.phase == "running" for s in view.steps):
                return
            time.sleep(0.002)
        raise AssertionError(f"the run never came to {step}")

    def take_up(self) -> Told:
        return self.talk.take_up(taken_up(self.talk.session.turns(self.talk.name)))

    def kinds(self) -> list[str]:
        """What the journal of the conversation holds."""
        return [line.kind for line in self.world.said[self.talk.name]]

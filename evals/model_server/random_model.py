"""A model whose answers are what the schema allows, and random in everything else."""

from __future__ import annotations

from random import Random

from evals.model_server.asked import Asked
from evals.model_server.replies import Answers, Message, Model, Reply
from evals.model_server.values import HOSTILE, Drawing, words_in

_SHARE_CHANGED = 0.7
_SHARE_HOSTILE = 0.25


class RandomModel:
    """Answers by its seed, and by how often it was asked since it was given that.

    What is drawn from nothing is mostly no answer at all. So it may be told what a good model says: then most of its
    answers are good ones with a few places drawn anew.
    """

    def __init__(self, seed: int = 0, *, good: Model | None = None) -> None:
        self._good = good
        self.seeded(seed)

    def seeded(self, seed: int) -> None:
        """Begin anew with that seed."""
        self._draw = Random(seed)

    def __call__(self, asked: Asked) -> Reply:
        if asked.schema is None:
            return Message(content=self._draw.choice(HOSTILE))
        hostile = self._draw.choice((_SHARE_HOSTILE, _SHARE_HOSTILE / 10, 0.0))
        drawing = Drawing(asked.schema, self._draw, words=words_in("\n".join(asked.texts("user"))), hostile=hostile)
        good = self._good(asked) if self._good is not None and self._draw.random() < _SHARE_CHANGED else None
        if isinstance(good, Answers):
            return Answers(drawing.changed(good.value, self._draw.choice((0, 1, 1, 2, 3, 5))))
        return Answers(drawing.value())

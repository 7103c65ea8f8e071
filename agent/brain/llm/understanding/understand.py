"""Understanding by a model: it reads the goal, the text vouches for what it read, and the embedded grammar holds it.

What the grammar refuses is refused before anything is sent. A model alone refuses nothing that the grammar can plan;
where it gives no usable answer, the grammar's reading is the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel

from agent.brain.llm.client.errors import NoAnswer
from agent.brain.llm.understanding.said import Said, drafted, said_of
from agent.brain.llm.understanding.settle import Settling, holds, without
from agent.brain.llm.understanding.trace import Tracing
from agent.brain.llm.understanding.words import Words
from agent.brain.protocol import Context, Open
from agent.brain.rules.brain import Rules
from agent.brain.rules.grammar.understand import missing
from agent.contract import Contract, Refusal, Remark
from agent.goal import Goal
from agent.lines import Purpose
from tools.language import tr

R = TypeVar("R", bound=BaseModel)
MOST_UNTRACED: Final = 3
"""Values that the text does not vouch for, of which questions are made; with more of them the answer is a fault."""
MOST_EARLIER: Final = 20
"""Messages of a conversation that are sent, the latest ones."""


class Asks(Protocol):
    """What asks a model, see `asking.Asker`."""

    def ask(
        self,
        purpose: Purpose,
        prompt: str,
        variables: Mapping[str, str],
        answer: type[R],
        *,
        check: Callable[[R], tuple[str, ...]],
    ) -> R: ...

    def note_instead(self, purpose: Purpose) -> None: ...


def understand(asker: Asks, goal: Goal, context: Context) -> Contract | Refusal | Open:
    """The contract the text states, with assumptions and questions; or why it is not ours."""
    ruled = Rules().understand(goal, context)
    if isinstance(ruled, Refusal):
        return ruled
    told = ruled.contract if isinstance(ruled, Open) else ruled
    context = context.model_copy(update={"said": _harmless(context)})
    read = _Read(goal, context, told)
    try:
        said = asker.ask("understand", "understand", read.variables(), Said, check=read.faults)
    except NoAnswer:
        asker.note_instead("understand")
        return ruled
    if said.kind == "not_ours" and not told.parts and context.before is None:
        return Refusal(
            reason=tr("The goal is no machine-learning work; a goal names a model to train, serve, watch or repair."),
            rule="not_ml",
        )
    if said.kind != "goal" or not said.parts:
        asker.note_instead("understand")
        return ruled
    contract = read.contract(said)
    return Open(contract=contract) if said.open or isinstance(ruled, Open) else contract


class _Read:
    """One goal in its conversation, and what the grammar makes of it."""

    def __init__(self, goal: Goal, context: Context, told: Contract) -> None:
        self.goal = goal
        self.context = context
        self.told = told
        self.before = context.before

    def variables(self) -> dict[str, str]:
        """What is sent: as JSON, which no text of a person can break out of."""
        contract = None if self.before is None else said_of(self.before).model_dump(mode="json", exclude_defaults=True)
        return {
            "goal": _json(self.goal.text),
            "earlier": _json(list(self.context.said[-MOST_EARLIER:])),
            "contract": _json(contract),
        }

    def faults(self, said: Said) -> tuple[str, ...]:
        """What is wrong with an answer, for its author: no contract, or one that is mostly invented."""
        draft, found = drafted(said)
        if draft is None:
            return found
        tracing = self._tracing()
        tracing.contract(draft)
        if len(tracing.untraced) <= MOST_UNTRACED:
            return ()
        return tuple(
            f"{path}: the text does not state it; copy what it states, or leave it out" for path in tracing.untraced
        )

    def contract(self, said: Said) -> Contract:
        """The contract both readings come to."""
        draft, _ = drafted(said)
        if draft is None:
            return self.told
        tracing = self._tracing()
        traced = tracing.contract(draft)
        fresh = None if self.before is None else Tracing(Words([self.goal.text]), (_stated(self.goal, self.context),))
        settling = Settling(self.told, tracing, fresh)
        joined = settling.contract(traced)
        questions = tuple(self._questions(said, joined, settling, tracing))
        assumptions = without(self.told.assumptions, settling.settled)
        assumptions += tuple(_assumptions(joined, self.told, tracing, settling))
        return joined.model_copy(update={"questions": questions, "assumptions": assumptions})

    @cached_property
    def _words(self) -> Words:
        return Words([*self.context.said, self.goal.text])

    def _tracing(self) -> Tracing:
        return Tracing(self._words, (self.told, *([self.before] if self.before is not None else [])))

    def _answered(self, field: str, joined: Contract, fresh: Tracing | None) -> bool:
        """A question about something missing that is there now. What is unclear in itself stays a question.

        In a correction a change answers what is asked about the whole, if it takes up every figure of the message.
        """
        if field == "parts" and self.before is not None:
            return _bare(joined) != _bare(self.before) and not (fresh is not None and fresh.unused())
        about_missing = field == "parts" or field.endswith((".data", ".label"))
        return about_missing and holds(joined, field) and not holds(self.told, field)

    def _questions(self, said: Said, joined: Contract, settling: Settling, tracing: Tracing) -> Iterator[Remark]:
        """The grammar's own as far as they are open, those between the two readings, and what is missing."""
        seen: set[str] = set()
        for remark in (
            *(
                q
                for q in self.told.questions
                if not self._answered(q.field, joined, settling.fresh) and not _found_out(said, q.field)
            ),
            *settling.questions,
            *_unvouched(joined, tracing, settling),
            *(r for n, part in enumerate(joined.parts) for r in missing(n, part)),
            *_unclear(said, joined),
        ):
            if remark.field not in seen:
                seen.add(remark.field)
                yield remark


def _harmless(context: Context) -> tuple[str, ...]:
    """What was said before, without what the grammar refuses: nothing of it leaves."""
    alone = context.model_copy(update={"said": (), "before": None})
    rules = Rules()
    answers = ((text, rules.understand(Goal.of(text, source="conversation"), alone)) for text in context.said)
    return tuple(t for t, answer in answers if not isinstance(answer, Refusal) or answer.rule == "not_ml")


def _stated(goal: Goal, context: Context) -> Contract:
    """What the last message states by itself."""
    answer = Rules().understand(goal, context.model_copy(update={"said": (), "before": None}))
    if isinstance(answer, Refusal):
        return Contract(parts=())
    return answer.contract if isinstance(answer, Open) else answer


def _found_out(said: Said, field: str) -> bool:
    """`half the replicas`: what runs says how many that are."""
    return said.open and field.endswith(".rollout.replicas")


def _bare(contract: Contract) -> Contract:
    return contract.model_copy(update={"assumptions": (), "questions": ()})


def _unvouched(joined: Contract, tracing: Tracing, settling: Settling) -> Iterator[Remark]:
    """A question for everything that was emptied and that nothing else fills."""
    for path in tracing.untraced:
        field = _field(settling.placed(path))
        if not holds(joined, field):
            text = tr("What is `{field}` to be? The goal does not state what was understood of it.", field=field)
            yield Remark(field=field, text=text)


def _field(path: str) -> str:
    """The field of a path into a list of records: `parts.0.clauses.1.value` is about `parts.0.clauses`."""
    steps = path.split(".")
    for n, step in enumerate(steps):
        if step.isdigit() and steps[n - 1 : n + 1] != ["parts", step]:
            return ".".join(steps[:n])
    return path


def _assumptions(joined: Contract, told: Contract, tracing: Tracing, settling: Settling) -> Iterator[Remark]:
    """What was taken for what it means, where the grammar has nothing there."""
    for path, word in tracing.assumed:
        field = _field(settling.placed(path))
        if holds(joined, field) and (field in settling.settled or not holds(told, field)):
            text = tr(
                "`{field}` is taken to be {word}: no word of the goal says so outright", field=field, word=tr(word)
            )
            yield Remark(field=field, text=text)


def _unclear(said: Said, joined: Contract) -> Iterator[Remark]:
    """What the model itself finds unclear, where nothing was made of it."""
    for topic in dict.fromkeys(said.unclear):
        field = {"data": "parts.0.data", "label": "parts.0.data.0.label", "clauses": "parts.0.clauses"}.get(
            topic, topic
        )
        if not holds(joined, field):
            yield Remark(field=field, text=tr("The goal leaves `{field}` unclear; what is meant?", field=field))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

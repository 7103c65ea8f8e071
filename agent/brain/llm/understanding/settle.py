"""Where a model and the embedded grammar read a goal differently, the text settles it, and where it cannot, a person.

The grammar's reading stands wherever the model is silent: nothing is dropped or loosened by leaving it out. What the
grammar did not read is taken from the model, as far as the text vouches for it (see `trace`). Where both have a
reading of their own, a question names both. In a conversation the last message entitles to a change: what it states
itself replaces what was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel

from agent.agree import covers, show
from agent.brain.llm.understanding import closed
from agent.brain.llm.understanding.kinds import CLOSED, NAMES
from agent.brain.llm.understanding.pairing import pairs
from agent.brain.llm.understanding.trace import Tracing, alike
from agent.brain.rules.grammar.clauses import numbered, where_of
from agent.brain.rules.grammar.data import format_of
from agent.brain.rules.grammar.understand import unique
from agent.contract import Clause, Contract, Data, Part, Remark, Rollout
from tools.language import tr
from tools.metrics import metric

R = TypeVar("R", bound=BaseModel)
_SKIPPED: Final = ("name", "assumptions", "questions", "parts", "data", "clauses", "id", "where", "format")
_IDENTITY: Final = ("parts.data.uri", "parts.target")
_UNIONS: Final = ("constraints", "retrain_on")
"""Lists whose values add up."""


class Settling:
    """One joining of the grammar's contract and a model's."""

    def __init__(self, told: Contract, tracing: Tracing, fresh: Tracing | None = None) -> None:
        """`told`: as the grammar has it. `fresh`: what the last message alone vouches for, in a conversation."""
        self.told = told
        self.tracing = tracing
        self.fresh = fresh
        self.questions: list[Remark] = []
        self._at: dict[str, int] = {}
        """Place of a part in the model's contract → its place here."""
        self.settled: set[str] = set()
        """Fields of assumptions of the grammar that no longer hold."""

    def contract(self, said: Contract) -> Contract:
        """Both as one, with the questions between them. `said`: traced, see `Tracing.contract`."""
        paired = pairs(self.told.parts, said.parts)
        parts = [self._part(part, paired.get(n), n) for n, part in enumerate(self.told.parts)]
        self._at = {str(place): n for n, (place, _) in paired.items()}
        for n, part in enumerate(said.parts):
            if str(n) not in self._at and self._is_own(part):
                self._at[str(n)] = len(parts)
                parts.append(self._new(part))
        joined = self._fields(self.told, said, "", "").model_copy(update={"parts": tuple(unique(parts))})
        return self._per(joined, said)

    def placed(self, path: str) -> str:
        """A path into the model's contract as one into the joined contract; `parts` for a part that is not in it."""
        top, *rest = path.split(".")
        if top != "parts":
            return path
        place = self._at.get(rest[0])
        return "parts" if place is None else ".".join([top, str(place), *rest[1:]])

    def _per(self, joined: Contract, said: Contract) -> Contract:
        """A budget of the whole goal is not one of every month because a model says so."""
        told = self.told
        if told.budget_usd is None or joined.budget_per == told.budget_per:
            return joined
        if self._entitled("budget_per", said.budget_per, joined):
            return joined
        self._ask("budget_per", told.budget_per or "goal", said.budget_per)
        return joined.model_copy(update={"budget_per": told.budget_per})

    def _part(self, told: Part, pair: tuple[int, Part] | None, number: int) -> Part:
        if pair is None:
            return told
        said, at = pair[1], f"parts.{number}"
        joined = self._fields(told, said, at, "parts")
        data = self._data(told, said, at)
        clauses = self._clauses(told, said, joined, at)
        taken_back = self.fresh is not None and "no_deploy" in self.told.constraints
        rollout = Rollout() if taken_back and said.rollout.strategy == "none" else joined.rollout
        return _sound(joined.model_copy(update={"data": data, "clauses": clauses, "rollout": rollout}), self.told)

    def _new(self, said: Part) -> Part:
        """A part that the grammar does not have."""
        data = tuple(d.model_copy(update={"format": format_of(d.uri)}) for d in said.data)
        clauses = tuple(numbered([_placed(c, said) for c in said.clauses]))
        return _sound(said.model_copy(update={"data": data, "clauses": clauses}), self.told)

    def _is_own(self, said: Part) -> bool:
        """Whether a part that the grammar does not have is one: a thing or data of its own, and a word for the work."""
        if not self.told.parts:
            return True
        known = {x for p in self.told.parts for x in (p.name, p.target, *(d.uri for d in p.data))}
        own = {x for x in (said.target, *(d.uri for d in said.data)) if x is not None} - known
        if own and said.task not in closed.REACHING and self._is_said(said.task, "parts.task"):
            return all(self._may_add(name, _IDENTITY[name == said.target], said) for name in own)
        text = tr("The goal can be read as {one} pieces of work or as more; what is wanted?", one=len(self.told.parts))
        self.questions.append(Remark(field="parts", text=text))
        return False

    def _fields(self, told: R, said: R, at: str, path: str) -> R:
        changes: dict[str, object] = {}
        for name in type(told).model_fields:
            if name not in _SKIPPED:
                a, b = getattr(told, name), getattr(said, name)
                changes[name] = self._field(a, b, _under(at, name), _under(path, name), told)
        return told.model_copy(update=changes)

    def _field(self, told: object, said: object, at: str, path: str, holder: BaseModel) -> object:
        """One field of both. Silence changes nothing."""
        name = path.rpartition(".")[2]
        default = type(holder).model_fields[name].get_default(call_default_factory=True)
        if isinstance(told, BaseModel) and isinstance(said, BaseModel):
            return self._fields(told, said, at, path)
        if said is None or said == default or said == () or self._asked(at):
            return told
        if isinstance(told, tuple) and isinstance(said, tuple):
            return self._list(told, said, at, path, holder)
        if isinstance(told, Mapping) and isinstance(said, Mapping):
            return {**said, **told}
        if told is not None and alike(told, said):
            return told
        if told is None or told == default:
            return said if self._may_add(said, path, holder) else told
        return self._either(told, said, at, path, holder)

    def _either(self, told: object, said: object, at: str, path: str, holder: BaseModel) -> object:
        """Two values for one field: the text settles it, or a question does."""
        if self._entitled(path, said, holder):
            return said
        if self.fresh is not None and not self._was(path, told, said, holder):
            return told
        if self.fresh is None and self._gives_way(told, said, at, path):
            self.settled.add(at)
            return said
        if path in ("parts.objective.direction", "parts.upkeep.watch", "parts.train.kind"):
            return told
        self._ask(at, told, said)
        return told

    def _was(self, path: str, told: object, said: object, holder: BaseModel) -> bool:
        """Whether the grammar took the last message for a change of what the model leaves as it was before."""
        measured = holder.metric if isinstance(holder, Clause) else ""
        before = self.tracing.before(path, measured)
        return any(alike(said, v) for v in before) and not any(alike(told, v) for v in before)

    def _gives_way(self, told: object, said: object, at: str, path: str) -> bool:
        """Whether the grammar only assumed its value, or took a task that no word says for one that a word does."""
        if (path not in NAMES and path not in CLOSED) or (path == "parts.task" and said in closed.REACHING):
            return False
        worded = path in NAMES or self._is_said(said, path)
        if any(r.field == at for r in self.told.assumptions):
            return worded or path == "parts.task"
        return path == "parts.task" and worded and not self._is_said(told, path)

    def _list(
        self, told: tuple[object, ...], said: tuple[object, ...], at: str, path: str, holder: BaseModel
    ) -> tuple[object, ...]:
        if not told:
            return said if all(self._may_add(v, path, holder) for v in said) else told
        new = tuple(v for v in said if not any(_same(v, other) for other in told))
        left = tuple(v for v in told if not any(_same(v, other) for other in said))
        if not new:
            return told
        if path.rpartition(".")[2] in _UNIONS:
            return (*told, *(v for v in new if self._may_add(v, path, holder)))
        if all(self._entitled(path, v, holder) for v in new):
            return said
        if self.fresh is not None:
            return told
        if path == "parts.rollout.steps":
            if said == (*told, 100):
                return said  # every rollout ends there
        elif not left:
            return (*told, *new)
        self._ask(at, told, said)
        return told

    def _data(self, told: Part, said: Part, at: str) -> tuple[Data, ...]:
        merged = list(told.data)
        for data in said.data:
            twin = next((n for n, other in enumerate(merged) if alike(other.uri, data.uri)), None)
            if twin is not None:
                role = merged[twin].role
                joined = self._fields(
                    merged[twin], data.model_copy(update={"role": role}), f"{at}.data.{twin}", "parts.data"
                )
                merged[twin] = joined
            elif self._entitled("parts.data.uri", data.uri, data) and len(told.data) == len(said.data) == 1:
                merged = [data.model_copy(update={"format": format_of(data.uri)})]
            elif self._may_add(data.uri, "parts.data.uri", data):
                merged.append(data.model_copy(update={"format": format_of(data.uri)}))
        return tuple(merged)

    def _clauses(self, told: Part, said: Part, joined: Part, at: str) -> tuple[Clause, ...]:
        merged = list(told.clauses)
        free = set(range(len(merged)))
        for clause in said.clauses:
            twin = _twin(clause, merged, free)
            if twin is None:
                if self._may_add(clause, "parts.clauses", clause):
                    merged.append(_placed(clause, joined))
            else:
                free.discard(twin)
                merged[twin] = self._clause(merged[twin], clause, f"{at}.clauses")
        kept = [c for n, c in enumerate(merged) if n not in free or not self._taken_back(c)]
        return tuple(numbered(kept)) if kept != list(told.clauses) else told.clauses

    def _clause(self, told: Clause, said: Clause, at: str) -> Clause:
        """One demand that both have: its sure parts stay, its gaps are filled."""
        changes: dict[str, object] = {}
        if not alike(told.value, said.value) and said.value is not None:
            changes["value"] = self._bound(told, said, at)
        if told.relative is not None and said.relative is not None and told.relative != said.relative:
            kept = self._either(told.relative.delta, said.relative.delta, at, "parts.clauses.relative.delta", told)
            changes["relative"] = said.relative if kept == said.relative.delta else told.relative
        for name in ("confidence", "window_s", "class_"):
            a, b = getattr(told, name), getattr(said, name)
            if b is not None and not alike(a, b):
                path = f"parts.clauses.{name.rstrip('_')}"
                added = b if a is None and self._may_add(b, path, said) else a
                changes[name] = added if a is None else self._either(a, b, at, path, told)
        if said.abort and (self.fresh is None or self.fresh.words.rolls_back()):
            changes["abort"] = True
        return told.model_copy(update=changes)

    def _bound(self, told: Clause, said: Clause, at: str) -> object:
        if told.relative is not None or told.value is None:
            return told.value
        return self._either(told.value, said.value, at, "parts.clauses.value", said)

    def _taken_back(self, clause: Clause) -> bool:
        """Whether the last message takes back the demand on that metric."""
        return self.fresh is not None and self.fresh.words.takes_back(clause.metric)

    def _may_add(self, value: object, path: str, holder: BaseModel) -> bool:
        """Whether something may be put where nothing was: in a conversation only what the last message states."""
        if self.fresh is None:
            return True
        if isinstance(value, BaseModel):
            stated = (n for n in type(value).model_fields if n not in ("id", "where", "format") and getattr(value, n))
            return all(self._may_add(getattr(value, n), _under(path, n.rstrip("_")), value) for n in stated)
        if isinstance(value, tuple):
            return all(self._may_add(item, path, holder) for item in value)
        items = value.items() if isinstance(value, Mapping) else (value,)
        return all(self._entitled(path, item, holder) for item in items)

    def _entitled(self, path: str, value: object, holder: BaseModel) -> bool:
        """Whether the last message of a conversation states that value itself."""
        return self.fresh is not None and value is not None and self.fresh.vouches(value, path, holder)

    def _is_said(self, value: object, path: str) -> bool:
        return closed.said(self.tracing.words, value, path)

    def _asked(self, at: str) -> bool:
        """Whether the grammar asks about the field itself: no model answers that, unless the field is merely empty."""
        return any(r.field == at for r in self.told.questions) and not at.endswith((".label", ".data"))

    def _ask(self, at: str, told: object, said: object) -> None:
        text = tr(
            "The goal can be read in two ways: `{field}` as {one} or as {other}; which one holds?",
            field=at,
            one=show(told),
            other=show(said),
        )
        self.questions.append(Remark(field=at, text=text))


def holds(contract: Contract, field: str) -> bool:
    """Whether something stands at a dotted path of a contract."""
    found: object = contract
    for step in field.split("."):
        if isinstance(found, tuple):
            found = found[int(step)] if step.isdigit() and int(step) < len(found) else None
        elif isinstance(found, BaseModel):
            found = getattr(found, step, None)
        else:
            return False
    return found not in (None, (), {}, "none")


def without(remarks: tuple[Remark, ...], fields: set[str]) -> tuple[Remark, ...]:
    """The remarks that speak of none of the fields or what is below them."""
    return tuple(r for r in remarks if not any(covers(field, r.field) for field in fields))


def _placed(clause: Clause, part: Part) -> Clause:
    serves = part.rollout.strategy != "none"
    return clause.model_copy(update={"where": where_of(clause.metric, part.task, serves=serves)})


def _sound(part: Part, told: Contract) -> Part:
    """What follows from other fields: the objective's direction, and nothing served where that is ruled out."""
    changes: dict[str, object] = {}
    if part.objective is not None and (known := metric(part.objective.metric)) is not None:
        changes["objective"] = part.objective.model_copy(update={"direction": known.better})
    if "no_deploy" in told.constraints and part.rollout.strategy != "none" and not _serves(part, told):
        changes["rollout"] = Rollout()
    return part.model_copy(update=changes)


def _serves(part: Part, told: Contract) -> bool:
    return any(p.name == part.name and p.rollout.strategy != "none" for p in told.parts)


def _twin(clause: Clause, merged: list[Clause], free: set[int]) -> int | None:
    """The demand that both have: on the same metric and class, with the same value if there are several."""
    same = [n for n in sorted(free) if merged[n].metric == clause.metric and _kind(merged[n]) == _kind(clause)]
    exact = [n for n in same if merged[n].class_ == clause.class_ or alike(merged[n].class_, clause.class_)]
    equal = [n for n in (exact or same) if alike(merged[n].value, clause.value)]
    found = equal or exact or [n for n in same if None in (merged[n].class_, clause.class_)]
    return found[0] if found else None


def _kind(clause: Clause) -> str | None:
    return None if clause.relative is None else clause.relative.to


def _same(one: object, other: object) -> bool:
    return alike(one, other)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

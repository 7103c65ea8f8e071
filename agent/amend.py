"""What changes between two versions of a contract: field by field in words, and what a run that goes on cannot take.

Pure. Whatever asks less of the work, or allows more, is said in plain words beside the change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from agent.contract import Clause, Contract, Data, Part, Rollout
from agent.state import Run
from agent.wording import budget, clean, demand, duration, measured_where, number, wanted
from tools.language import tr
from tools.record import Record

AMENDMENT: Final = "amendment"
"""What a change is called where the journal says that one was not taken."""


def digest(contract: Contract) -> str:
    """By which a change names the contract that it was made from: SHA-256 of its JSON, hexadecimal."""
    return hashlib.sha256(contract.model_dump_json().encode()).hexdigest()


class Change(Record):
    """One field before and after."""

    field: str
    """Where it stands: `parts.model.clauses.accuracy`, `budget_usd`."""
    name: str
    """What people call it."""
    before: str
    after: str
    loosens: str = ""
    """What it gives up or allows, where it does."""

    def __str__(self) -> str:
        words = f"{self.name}{tr(': ')}{self.before} → {self.after}"
        return f"{words} ({self.loosens})" if self.loosens else words


def diff(before: Contract, after: Contract) -> tuple[Change, ...]:
    """Every field that differs, the demands first; remarks are left out."""
    old, new = {p.name: p for p in before.parts}, {p.name: p for p in after.parts}
    if len(before.parts) == len(after.parts) and set(old) != set(new):
        pairs = list(zip(before.parts, after.parts, strict=True))
    else:
        pairs = [(old[name], new[name]) for name in old if name in new]
    found = [change for a, b in pairs for change in _part(a, b, several=len(after.parts) > 1)]
    paired = {p.name for pair in pairs for p in pair}
    found += [_whole(p, gone=True) for p in before.parts if p.name not in paired]
    found += [_whole(p, gone=False) for p in after.parts if p.name not in paired]
    return (*found, *_top(before, after))


def blocked(before: Contract, after: Contract, run: Run) -> tuple[str, ...]:
    """Why a run that has begun cannot take the change: what the steps that have begun rest on is not what it was."""
    begun: dict[str, set[str]] = {}
    for plan in run.plans[-1:]:
        for step in plan.plan.steps:
            if step.part is not None and step.id in run.by_step and run.attempts(step.id):
                begun.setdefault(step.part, set()).add(step.tool)
    if not begun:
        return ()
    found = list(_parts_blocked(before, after, begun))
    if any(tools & _WHERE for tools in begun.values()):
        found += [
            tr("{name} cannot be changed any more: steps that rest on it have begun", name=c.name)
            for c in _top(before, after)
            if c.field in ("environment", "namespace") or c.field.startswith("placement.")
        ]
    return tuple(found)


_RESTS: Mapping[str, tuple[str, ...]] = {
    "prepare_data": ("task", "data", "prepare", "split"),
    "tune_model": ("task", "data", "prepare", "split", "models", "train", "objective"),
    "launch_training": ("task", "data", "prepare", "split", "models", "train"),
    "select_model": ("task", "data", "models", "objective"),
    "evaluate_model": ("task", "data", "split", "models", "metrics"),
    "register_model": ("name", "target"),
    "deploy_model": ("name", "target", "strategy"),
    "mirror_traffic": ("name", "target", "strategy"),
    "shift_traffic": ("name", "target", "strategy", "steps"),
    "rollback_endpoint": ("target",),
    "scale_endpoint": ("target",),
}
"""Tool → what of its part it was begun with."""
_WHERE = frozenset(("deploy_model", "shift_traffic", "mirror_traffic", "scale_endpoint", "tune_model"))


def _parts_blocked(before: Contract, after: Contract, begun: Mapping[str, set[str]]) -> Iterator[str]:
    new = {p.name: p for p in after.parts}
    for part in before.parts:
        tools = begun.get(part.name)
        if tools is None:
            continue
        then = new.get(part.name)
        if then is None:
            yield tr("{part} has begun and cannot be left out any more", part=clean(part.name))
            continue
        rests = {field for tool in tools for field in _RESTS.get(tool, ())}
        for field, name in _names().items():
            if field in rests and _value(part, field) != _value(then, field):
                yield tr("{name} cannot be changed any more: steps that rest on it have begun", name=name)
    if set(new) - {p.name for p in before.parts}:
        yield tr("another part is a goal of its own")


def _value(part: Part, field: str) -> object:
    return getattr(part.rollout if field in ("strategy", "steps") else part, field)


def _names() -> dict[str, str]:
    return {
        "name": tr("the name"),
        "task": tr("the task"),
        "target": tr("the target"),
        "data": tr("the data"),
        "prepare": tr("the preparation"),
        "split": tr("the split"),
        "models": tr("the models"),
        "train": tr("the training program"),
        "objective": tr("the objective"),
        "metrics": tr("the formulas"),
        "strategy": tr("the rollout"),
        "steps": tr("the steps of the rollout"),
    }


def in_words(text: str, contract: Contract) -> str:
    """A text about a contract with the names of its fields, as people call them, in place of quoted paths."""
    return re.sub(r"`([a-z_]+(?:\.[\w-]+)*)`", lambda found: called(found[1], contract) or found[0], text)


def called(path: str, contract: Contract) -> str:
    """What people call the field at a path; empty for one that has no name."""
    head, *rest = path.split(".")
    if head != "parts":
        return _whole_names().get(head, "")
    at = int(rest.pop(0)) if rest and rest[0].isdecimal() else 0
    known = _names() | _rollout_names() | _other_names()
    name = next((known[field] for field in reversed(rest) if field in known), tr("part"))
    several = len(contract.parts) > 1 and at < len(contract.parts)
    return f"{clean(contract.parts[at].name)}{tr(': ')}{name}" if several else name


def _other_names() -> dict[str, str]:
    return {
        "clauses": tr("demand"),
        "search": tr("the search"),
        "upkeep": tr("the upkeep"),
        "rollout": tr("the rollout"),
    }


def _whole_names() -> dict[str, str]:
    return {
        "budget_usd": tr("the budget"),
        "budget_per": tr("the budget"),
        "deadline_s": tr("the deadline"),
        "environment": tr("the environment"),
        "namespace": tr("the namespace"),
        "constraints": tr("ruled out"),
    }


def _whole(part: Part, *, gone: bool) -> Change:
    none, told = tr("none"), f"{clean(part.name)} ({tr(part.task)})"
    return Change(
        field=f"parts.{part.name}",
        name=tr("part"),
        before=told if gone else none,
        after=none if gone else told,
        loosens=tr("nothing is done or demanded of it any more") if gone else "",
    )


def _part(a: Part, b: Part, *, several: bool) -> Iterator[Change]:
    path, of = f"parts.{a.name}", f"{clean(a.name)}{tr(': ')}" if several else ""
    yield from _clauses(a.clauses, b.clauses, path, of)
    names = _names()
    for field, show in _SHOWN.items():
        if (old := getattr(a, field)) != (new := getattr(b, field)):
            yield Change(field=f"{path}.{field}", name=of + names[field], before=show(old), after=show(new))
    yield from _rollout(a.rollout, b.rollout, path, of)
    for field, name in (("search", tr("the search")), ("upkeep", tr("the upkeep"))):
        for inner, old, new in _inner(getattr(a, field), getattr(b, field)):
            told = f"{of}{name}, {inner}" if inner else of + name
            yield Change(field=f"{path}.{field}", name=told, before=_show(old), after=_show(new))


def _clauses(a: Sequence[Clause], b: Sequence[Clause], path: str, of: str) -> Iterator[Change]:
    old, new = {c.id: c for c in a}, {c.id: c for c in b}
    for id_ in dict.fromkeys((*old, *new)):
        before, after = old.get(id_), new.get(id_)
        if before == after:
            continue
        yield Change(
            field=f"{path}.clauses.{id_}",
            name=of + tr("demand"),
            before=_demand(before),
            after=_demand(after),
            loosens=_eased(before, after),
        )


def _demand(clause: Clause | None) -> str:
    if clause is None:
        return tr("none")
    words = f"{demand(clause)} {measured_where(clause)}"
    return words + (tr(", else roll back") if clause.abort else "")


def _eased(before: Clause | None, after: Clause | None) -> str:
    """In which way a demand asks less than before; empty where it does not."""
    if before is None:
        return ""
    if after is None:
        return tr("this is not demanded any more")
    if (before.metric, before.class_, before.where) != (after.metric, after.class_, after.where):
        return tr("the demand before is not made any more")
    if before.abort and not after.abort:
        return tr("missing it does not roll back any more")
    asked, asks = _strictness(before), _strictness(after)
    if before.op[0] != after.op[0] or (before.relative is None) != (after.relative is None):
        return tr("another kind of demand: what was demanded before is not any more")
    if asked is not None and asks is not None and asks < asked:
        return tr("less is demanded than before")
    if (before.confidence or 0.0) > (after.confidence or 0.0):
        return tr("less certainty is demanded than before")
    return ""


def _strictness(clause: Clause) -> float | None:
    value = clause.relative.delta if clause.relative is not None else clause.value
    if not isinstance(value, int | float) or clause.op == "==":
        return None
    return float(value) if clause.op[0] == ">" else -float(value)


def _rollout(a: Rollout, b: Rollout, path: str, of: str) -> Iterator[Change]:
    for field, name in _rollout_names().items():
        old, new = getattr(a, field), getattr(b, field)
        if old == new:
            continue
        show: Callable[[object], str] = _time if field.endswith("_s") else _show
        loosens = ""
        if field == "strategy" and old in ("canary", "shadow", "blue_green", "rolling") and new == "direct":
            loosens = tr("all traffic goes to it at once, before it was measured")
        elif field == "hold_s" and new is not None and old is not None and new < old:
            loosens = tr("each step is watched for a shorter time")
        elif field == "lease_s" and (new or 0) > (old or 0):
            loosens = tr("it runs, and may cost, for longer")
        told = Change(field=f"{path}.rollout.{field}", name=of + name, before=show(old), after=show(new))
        yield told.model_copy(update={"loosens": loosens})


def _rollout_names() -> dict[str, str]:
    return {
        "strategy": tr("the rollout"),
        "steps": tr("the steps of the rollout"),
        "hold_s": tr("the time of each rollout step"),
        "replicas": tr("replicas"),
        "min_replicas": tr("fewest replicas"),
        "max_replicas": tr("most replicas"),
        "lease_s": tr("how long it stays up"),
    }


def _top(a: Contract, b: Contract) -> Iterator[Change]:
    if (a.budget_usd, a.budget_per) != (b.budget_usd, b.budget_per):
        old, new = (tr("none") if c.budget_usd is None else budget(c) for c in (a, b))
        yield Change(field="budget_usd", name=tr("the budget"), before=old, after=new, loosens=_more(a, b))
    if a.deadline_s != b.deadline_s:
        later = b.deadline_s is None or (a.deadline_s is not None and b.deadline_s > a.deadline_s)
        told = tr("it may take longer") if later else ""
        old, new = _time(a.deadline_s), _time(b.deadline_s)
        yield Change(field="deadline_s", name=tr("the deadline"), before=old, after=new, loosens=told)
    for field, name in (("environment", tr("the environment")), ("namespace", tr("the namespace"))):
        if getattr(a, field) != getattr(b, field):
            yield Change(field=field, name=name, before=_show(getattr(a, field)), after=_show(getattr(b, field)))
    for inner, was, now in _inner(a.placement, b.placement):
        name = tr("where it runs, {what}", what=inner)
        yield Change(field=f"placement.{inner}", name=name, before=_show(was), after=_show(now))
    if set(a.constraints) != set(b.constraints):
        gone = [c for c in a.constraints if c not in b.constraints]
        told = tr("allowed from now on: {what}", what=_ruled_out(gone)) if gone else ""
        old, new = _ruled_out(a.constraints), _ruled_out(b.constraints)
        yield Change(field="constraints", name=tr("ruled out"), before=old, after=new, loosens=told)


def _more(a: Contract, b: Contract) -> str:
    if b.budget_usd is None:
        return tr("there is no limit to what may be spent")
    if a.budget_usd is not None and (b.budget_usd > a.budget_usd or a.budget_per != b.budget_per):
        return tr("more may be spent than before")
    return ""


def _inner(a: Record | None, b: Record | None) -> Iterator[tuple[str, object, object]]:
    """(field, before, after) of every field of two records that differs."""
    some = b if b is not None else a
    for field in type(some).model_fields if some is not None and a != b else ():
        old, new = getattr(a, field, None), getattr(b, field, None)
        if old != new:
            yield field, old, new


def _data(value: Sequence[Data]) -> str:
    told = [clean(d.uri) + (f" ({clean(d.label)})" if d.label else "") for d in value]
    return ", ".join(told) or tr("none")


def _show(value: object) -> str:
    if value in (None, (), {}, ""):
        return tr("none")
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, tuple):
        return ", ".join(map(_show, value))
    if isinstance(value, Record):
        told = value.model_dump(exclude_defaults=True)
        return ", ".join(f"{clean(str(k))} {clean(str(v))}" for k, v in told.items()) or tr("none")
    return clean(str(value))


def _time(value: object) -> str:
    return duration(float(value)) if isinstance(value, int | float) else tr("none")


def _ruled_out(value: Sequence[str]) -> str:
    return ", ".join(tr(c.removeprefix("no_").replace("_", " ")) for c in value) or tr("none")


_SHOWN: Mapping[str, Callable[[object], str]] = {
    "name": _show,
    "task": lambda v: tr(str(v)),
    "target": _show,
    "data": lambda v: _data(v) if isinstance(v, tuple) else _show(v),
    "objective": lambda v: tr("none") if v is None else wanted(v),  # type: ignore[arg-type]
    "models": lambda v: tr("{models} (only these are tried)", models=_show(v)) if v else tr("those that suit the task"),
    "train": _show,
    "split": _show,
    "prepare": _show,
    "metrics": _show,
}
"""Field of a part → how its value is shown."""

"""In which fields of the contract a call departs from it. Whatever proposed it, the contract says what was asked.

A departure is a change of scope: it is a person's to allow, or nobody's; `policies` say which.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from agent import judge, learning, remedy, rollout, search
from agent.contract import Part
from agent.judged.evidence import grounded
from agent.judged.proposed import UNKNOWN, Proposed, texts
from agent.judged.staging import as_wanted, ids
from agent.plan import Step
from agent.state import Run
from agent.survey import BUNDLED, existing, incumbent, wanted_version
from tools.catalogue import BY_NAME
from tools.recipes.records import Measure, Split
from tools.record import Json

Field = Literal["part", "data", "models", "search", "clauses", "endpoint", "rollout", "time", "owner", "evidence"]
"""`evidence`: it builds on keys, digests or versions that nothing here has made."""


def departures(step: Step, args: Json, run: Run) -> tuple[Field, ...]:
    """Sorted, each once. `args`: resolved, or those that are known already."""
    if run.contract is None or step.tool not in BY_NAME:
        return ()
    part = part_of(step, run)
    if part is None:
        return ("part",)
    asked = Proposed(step=step, args=args, run=run, part=part)
    return tuple(sorted({field for field, check in _CHECKS if not _holds(check, asked)}))


def _holds(check: Callable[[Proposed], bool], asked: Proposed) -> bool:
    """Arguments may have any shape here: what cannot be compared with the contract departs from it."""
    try:
        return check(asked)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def part_of(step: Step, run: Run) -> Part | None:
    """The part of the contract that the step serves; one that is being mended as what mends it."""
    parts = run.contract.parts if run.contract is not None else ()
    part = next((p for p in parts if p.name == step.part), None)
    return None if part is None else remedy.meant(part, run)


def _data(asked: Proposed) -> bool:
    check = _DATA.get(asked.tool)
    return check is None or all(check(asked))


def _prepared(asked: Proposed) -> Iterator[bool]:
    """The tables that the part names, as it names them, with nothing done to them that it does not ask for."""
    part, wanted = asked.part, asked.part.prepare
    named = {d.uri: d.role for d in part.data}
    roles = {"holdout"} if part.task in learning.EXISTING else set[str]()
    tables = asked.items("tables")
    yield bool(tables) and {t.get("name") for t in tables if isinstance(t, Mapping)} == set(named)
    for table in tables:
        facts = asked.survey.data.get(str(table.get("name"))) if isinstance(table, Mapping) else None
        yield facts is not None and table.get("source") == facts.source
        yield facts is not None and table.get("role", "train") in {named[facts.uri], *roles}
    stated = [j.model_dump(mode="json") for j in wanted.join] if wanted is not None else []
    yield asked.value("joins") is UNKNOWN or list(map(_plain, asked.items("joins"))) == stated
    yield asked.value("task") in (UNKNOWN, learning.task_of(part, asked.survey))
    yield asked.value("label") in (UNKNOWN, *_labels(asked))
    yield asked.value("time") in (UNKNOWN, next((d.time for d in part.data if d.time), None))
    yield asked.value("group") in (UNKNOWN, next((d.id for d in part.data if d.id), None))
    yield texts(asked.items("drop_columns")) == set(wanted.drop_columns if wanted is not None else ())
    yield texts(asked.items("clean")) == {c for c in (wanted.clean if wanted is not None else ()) if c != "augment"}
    yield _split(asked)


def _plain(join: object) -> object:
    return {"how": "inner", **join} if isinstance(join, Mapping) else join


def _labels(asked: Proposed) -> set[str | None]:
    """The column that the goal names; where it names none, what an existing model says it predicts, or none."""
    named = learning.labelled(asked.part)
    if named is not None:
        return {named}
    return {None, *asked.survey.labels.values()} if asked.part.task in learning.EXISTING else {None}


def _split(asked: Proposed) -> bool:
    """Rows are parted as the goal says; where it says nothing, in the usual shares."""
    given, stated = asked.value("split"), asked.part.split
    if given is UNKNOWN:
        return True
    try:
        split = given if isinstance(given, Split) else Split.model_validate(given)
    except ValueError:
        return False
    usual = Split()
    by, column, at, share = split.by, split.column, split.at, split.holdout
    time = next((d.time for d in asked.part.data if d.time), None)
    if split.validation != usual.validation:
        return False
    if stated is None:
        return column is None and at is None and share == usual.holdout
    columns = {stated.column, time} if stated.by == "time" and stated.column is None else {stated.column}
    return by == stated.by and column in columns and at == stated.at and share in (stated.holdout or usual.holdout,)


def _launched(asked: Proposed) -> Iterator[bool]:
    """The user's own program as the goal writes it, where it lies, and kept from the labels."""
    train = asked.part.train
    yield train is not None and train.kind == "command" and asked.items("command") == shlex.split(train.value)
    yield asked.value("folder") in (UNKNOWN, str(asked.folder))
    yield _hidden(asked) and not asked.value("hyperparameters")


def _hidden(asked: Proposed) -> bool:
    """Whatever holds the labels is hidden from a program of the user's."""
    sources = {f.source for f in asked.survey.data.values() if not f.source.startswith(BUNDLED)}
    return asked.value("hide") is UNKNOWN or sources <= texts(asked.items("hide"))


def _evaluated(asked: Proposed) -> Iterator[bool]:
    """By the goal's own formulas, and with its own program where it names one."""
    train = asked.part.train
    predict = train.predict if train is not None and train.kind == "command" else None
    yield learning.opens_holdout(asked.part)
    yield asked.value("predict") in (UNKNOWN, predict)
    yield asked.value("folder") in (UNKNOWN, None, str(asked.folder))
    yield asked.value("predict") in (UNKNOWN, None) or _hidden(asked)
    yield asked.value("formulas") is UNKNOWN or dict(asked.value("formulas")) == learning.formulas(asked.part)
    yield asked.value("task") in (UNKNOWN, learning.task_of(asked.part, asked.survey))


_DATA: Mapping[str, Callable[[Proposed], Iterator[bool]]] = {
    "prepare_data": _prepared,
    "profile_data": lambda asked: iter([asked.value("source") in {f.source for f in asked.survey.data.values()}]),
    "launch_training": _launched,
    "evaluate_model": _evaluated,
}


def _models(asked: Proposed) -> bool:
    part, value = asked.part, asked.value
    match asked.tool:
        case "tune_model":
            named = learning.named_families(part)
            learnt = learning.learns(part) and not learning.by_command(part)
            return learnt and (not named or value("family") in named)
        case "find_model":
            return value("name") is UNKNOWN or (value("name"), value("version")) in _found(asked)
        case "bring_model":
            return value("folder") in {asked.survey.models.get(m) or m for m in existing(part, asked.survey.endpoints)}
        case "register_model":
            return value("name") in (UNKNOWN, part.endpoint)
        case _:
            return True


def _found(asked: Proposed) -> set[tuple[str, str | None]]:
    """(name, version) of the existing models that the part is about, or is compared with."""
    part, endpoints = asked.part, asked.survey.endpoints
    names = {*existing(part, endpoints), *part.source_models, incumbent(part, asked.state)}
    if part.task == "rollback":
        names |= {wanted_version(part), asked.survey.previous.get(part.endpoint) or ""}
    if part.task in ("evaluate", "deploy", "watch", "scale", "rollback"):
        names.add(part.endpoint)
    found = {(name, version or None) for name, _, version in (n.partition(":") for n in names if n)}
    kept = (v.model.removeprefix("models/").rpartition("/") for v in asked.state.versions) if asked.state else ()
    return found | {(name or part.endpoint, version or None) for name, _, version in kept}


def _search(asked: Proposed) -> bool:
    """As many trials as the goal allows, by the way that it names."""
    stated = asked.part.search
    if asked.tool != "tune_model":
        return True
    most = max([*search.TRIALS, (stated.trials or 0) if stated is not None else 0])
    if stated is not None and stated.trials is not None:
        most = stated.trials
    trials, method = asked.value("trials"), asked.value("method")
    wanted = stated.method if stated is not None else None
    return (trials is UNKNOWN or (isinstance(trials, int) and trials <= most)) and wanted in (None, method)


def _clauses(asked: Proposed) -> bool:
    """A measure that answers a clause is of its class and at its level: at a lower one it would be met for less."""
    if asked.tool != "evaluate_model":
        return True
    clauses = {c.metric: c for c in learning.holdout_clauses(asked.part)}
    usual = Measure(metric="accuracy").confidence
    for given in asked.items("measures"):
        try:
            measure = Measure.model_validate(given)
        except ValueError:
            return False
        levels = {judge.confidence(c, 1) for c in clauses.values() if c.metric == measure.metric} or {usual}
        if measure.confidence not in levels:
            return False
    return True


def _endpoint(asked: Proposed) -> bool:
    """It acts on what the part is about."""
    if asked.tool == "release_resource":
        return (asked.value("kind"), asked.value("id")) in set(ids(asked))
    named = "endpoint" in BY_NAME[asked.tool].args.model_fields
    return not named or asked.value("endpoint") == asked.part.endpoint


def _time(asked: Proposed) -> bool:
    """Nothing lives longer than the goal says, or than the operator lets it where the goal says nothing."""
    stated, wanted = asked.run.stated, asked.part.rollout.lease_s
    lease = wanted or (stated.lease_s if stated is not None else None)
    match asked.tool:
        case "extend_lease":
            span, most = asked.value("for_s"), lease
        case "deploy_model":
            span, load = asked.value("lease_s"), stated.load_rps if stated is not None else None
            own = rollout.lease_s(asked.part, asked.state, load_rps=load) if load is not None else None
            most = None if lease is None or own is None else max(lease, own)
        case _:
            return True
    return span is UNKNOWN or most is None or (isinstance(span, int | float) and span <= most)


def _owner(asked: Proposed) -> bool:
    return asked.tool != "extend_lease" or asked.value("owner") == asked.owner


_CHECKS: tuple[tuple[Field, Callable[[Proposed], bool]], ...] = (
    ("data", _data),
    ("models", _models),
    ("search", _search),
    ("clauses", _clauses),
    ("endpoint", _endpoint),
    ("rollout", as_wanted),
    ("time", _time),
    ("owner", _owner),
    ("evidence", grounded),
)

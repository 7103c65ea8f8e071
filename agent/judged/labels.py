"""Where each argument of a call came from, and what lifts a label: nothing but a match with an inventory, or a person.

`person` and `file`: the contract states it, or a planner that reads no outside text chose it. `tool`: a typed result by
reference, or an entry of an inventory. `outside`: anything else, for who proposed it may have read anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from agent import learning
from agent.contract import Placement
from agent.judged.proposed import Proposed, is_ref, texts
from agent.judged.scope import part_of
from agent.plan import Step
from agent.state import Run
from agent.survey import existing, incumbent
from policies.request import Label
from tools.catalogue import BY_NAME
from tools.metrics import METRICS

TRUSTED = ("rules", "none")
"""Planners that are code of ours and read typed facts: the embedded brain, and orders that need none."""
_RISING: tuple[Label, ...] = get_args(Label)


@dataclass(frozen=True, kw_only=True)
class Endorsement:
    """One way in which a text that somebody may have made up is lifted to `tool`, or to whoever asked."""

    lifts: str
    """Which arguments, in words."""
    inventory: str
    """What they must match, in words."""
    arguments: frozenset[str]
    """The last names of the paths it is about."""
    known: Callable[[Proposed], set[str]]
    stated: bool = False
    """The inventory is the contract itself: what matches is the requester's."""


def join(a: Label, b: Label) -> Label:
    """The less trusted of two."""
    return max(a, b, key=_RISING.index)


def labels(step: Step, run: Run) -> dict[str, Label]:
    """Path of every value in the step's arguments → where it came from. Names of mappings are values as well."""
    part, tool = part_of(step, run), BY_NAME.get(step.tool)
    trusted = run.stated is not None and run.stated.brain in TRUSTED
    person: Label = "file" if run.stated is not None and run.stated.goal.source.startswith("file:") else "person"
    found: dict[str, Label] = {}
    asked = Proposed(step=step, args=step.args, run=run, part=part) if part is not None else None
    inventories = Inventories(asked) if asked is not None else None
    for path, name, value in leaves(step.args):
        closed = tool is not None and _closed(tool.args, path)
        label = _label(name, value, inventories, person, closed=closed)
        if label is None:
            read = inventories is not None and isinstance(value, str) and inventories.read(value)
            label = person if trusted and not read else "outside"
        found[path] = join(found.get(path, label), label)
    return found


class Inventories:
    """What the values of one call may match, each looked up once."""

    def __init__(self, asked: Proposed) -> None:
        self._asked = asked
        self._known: dict[int, set[str]] = {}
        self._read: set[str] | None = None

    def endorse(self, name: str, value: str) -> Endorsement | None:
        """The first endorsement that the value of an argument of that name has."""
        for index, endorsement in enumerate(ENDORSEMENTS):
            if name in endorsement.arguments:
                if index not in self._known:
                    self._known[index] = endorsement.known(self._asked)
                if value in self._known[index]:
                    return endorsement
        return None

    def read(self, value: str) -> bool:
        """It is a text from outside that stands in the survey."""
        if self._read is None:
            self._read = _read(self._asked)
        return value in self._read


def _label(name: str, value: Any, inventories: Inventories | None, person: Label, *, closed: bool) -> Label | None:
    """None: nothing vouches for it."""
    if is_ref(value) or value is None or isinstance(value, bool | int | float) or closed:
        return "tool"  # a number or a word of a closed set says nothing: how large it may be is judged elsewhere
    if inventories is None or not isinstance(value, str):
        return None
    endorsement = inventories.endorse(name, value)
    if endorsement is None:
        return None
    return person if endorsement.stated else "tool"


def leaves(args: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:
    """(path, last name, value) of everything in an argument tree. The names in a mapping that is no record's are
    values, and its paths count them: a name may be anybody's text."""
    if isinstance(args, Mapping) and not is_ref(args):
        free = name in _NAMED_FREELY
        for index, (key, value) in enumerate(args.items()):
            inner = f"{path}.{index}" if free else f"{path}.{key}" if path else str(key)
            if free:
                yield inner, name + ":name", key
            yield from leaves(value, inner, name if free else str(key))
    elif isinstance(args, list | tuple):
        for index, item in enumerate(args):
            yield from leaves(item, f"{path}.{index}", name)
    else:
        yield path, name, args


_NAMED_FREELY = ("others", "rivals", "formulas", "hyperparameters", "candidates")
"""Arguments that are mappings with names of somebody's choice."""


@cache
def _closed(args: type[BaseModel], path: str) -> bool:
    """Whether the type allows only words of a closed set there."""
    here: list[Any] = [args]
    for key in path.split("."):
        here = [inner for annotation in here for inner in _inside(annotation, key)]
    flat = [a for annotation in here for a in _alternatives(annotation) if a is not type(None)]
    return bool(flat) and all(get_origin(a) is Literal for a in flat)


def _inside(annotation: Any, key: str) -> Iterator[Any]:
    for one in _alternatives(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel) and key in one.model_fields:
            yield one.model_fields[key].annotation
        elif get_origin(one) is tuple and key.isdigit():
            yield get_args(one)[0]


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, type(int | None)):
        for inner in get_args(annotation):
            yield from _alternatives(inner)
    else:
        yield annotation


def _read(asked: Proposed) -> set[str]:
    """Outside texts that a planner sees in the survey: names that models and data give to themselves."""
    seen = asked.survey
    classes = (c for d in seen.data.values() if d.profile and d.profile.label for c in d.profile.label.classes)
    return {*seen.labels.values(), *classes}


def _columns(asked: Proposed) -> set[str]:
    profiles = [f.profile for d in asked.part.data if (f := asked.survey.data.get(d.uri)) and f.profile]
    found = {c.name for p in profiles for c in p.columns} | {p.label.name for p in profiles if p.label is not None}
    made = (c for r in asked.results("prepare_data") for c in r.get("columns", ()))
    return found | {str(c["name"]) for c in made if isinstance(c, Mapping) and "name" in c}


def _named_columns(asked: Proposed) -> set[str]:
    """Columns that the contract names."""
    part = asked.part
    split = part.split.column if part.split is not None else None
    dropped = part.prepare.drop_columns if part.prepare is not None else ()
    joined = (name for j in (part.prepare.join if part.prepare is not None else ()) for name in j.on)
    return texts([*(n for d in part.data for n in (d.label, d.time, d.id)), split, *dropped, *joined])


def _classes(asked: Proposed) -> set[str]:
    profiles = [f.profile for d in asked.part.data if (f := asked.survey.data.get(d.uri)) and f.profile]
    found = {c for p in profiles if p.label is not None for c in p.label.classes}
    return found | {str(c) for r in asked.results("prepare_data") for c in r.get("classes", ())}


def _program(asked: Proposed) -> set[str]:
    train = asked.part.train
    return {*shlex.split(train.value), *([train.predict] if train.predict else [])} if train is not None else set()


def _models(asked: Proposed) -> set[str]:
    """What a contract calls models: as it names them, and what serves."""
    names = {*existing(asked.part, asked.survey.endpoints), *asked.part.source_models}
    names |= {incumbent(asked.part, asked.state), asked.survey.previous.get(asked.part.endpoint) or "", "baseline"}
    parts = {piece for name in names for piece in (name, *name.split(":", 1))}
    folders = texts(asked.survey.models.get(n) for n in names)
    return {*parts, *(f"{name}:newest" for name in names), *folders} - {""}


def _formulas(asked: Proposed) -> set[str]:
    return {text for pair in learning.formulas(asked.part).items() for text in pair}


def _moment(asked: Proposed) -> set[str]:
    return texts([asked.part.split.at if asked.part.split is not None else None])


def _offered(asked: Proposed) -> set[str]:
    return texts(name for o in asked.survey.offers for name in (o.id, o.region, o.gpu)) - {""}


def _placement(asked: Proposed) -> set[str]:
    place = asked.run.contract.placement if asked.run.contract is not None else Placement()
    return texts([place.gpu, *place.regions, *place.instance_types])


def _metrics(asked: Proposed) -> set[str]:
    return {*METRICS, *(c.metric for c in asked.part.clauses), *(asked.part.metrics or {})}


def _sources(asked: Proposed) -> set[str]:
    return {f.source for f in asked.survey.data.values()}


def _versions(asked: Proposed) -> set[str]:
    seen = {v.name for v in asked.state.versions} if asked.state is not None else set[str]()
    kept = {v.model.rpartition("/")[2] for v in asked.state.versions} if asked.state is not None else set[str]()
    made = asked.results("register_model", "find_model", "deploy_model")
    return seen | kept | texts(v for r in made for v in (r.get("version"), r.get("incumbent"))) | _models(asked)


def _objects(asked: Proposed) -> set[str]:
    found = (r for c in asked.run.calls.values() if c.ended is not None and (r := c.ended.result))
    made = texts(v for r in found for v in (r.get("key"), r.get("data"), r.get("digest"), r.get("url")))
    there = {asked.state.url} if asked.state is not None else set()
    return made | there | texts(asked.survey.models.values())


def _released(asked: Proposed) -> set[str]:
    return {o.id for o in asked.survey.meant(asked.part)} | texts(c.handle for c in asked.run.calls.values())


Known = Callable[[Proposed], set[str]]


def _entry(arguments: str, lifts: str, inventory: str, known: Known, *, stated: bool = False) -> Endorsement:
    return Endorsement(
        lifts=lifts, inventory=inventory, arguments=frozenset(arguments.split()), known=known, stated=stated
    )


def _stated(arguments: str, lifts: str, inventory: str, known: Known) -> Endorsement:
    return _entry(arguments, lifts, inventory, known, stated=True)


_COLUMNS = "label time group drop_columns on column"
_CLASSES = "of metric_class classes positive"
ENDORSEMENTS: tuple[Endorsement, ...] = (
    _stated("endpoint id name", "names of endpoints and models", "the goal's endpoint", lambda a: {a.part.endpoint}),
    _stated("owner", "who something is handed over to", "the requester", lambda a: {a.owner}),
    _stated("folder", "where the user's program starts", "the goal's folder", lambda a: {str(a.folder)}),
    _stated("command predict", "commands", "the goal's program", _program),
    _stated(_COLUMNS, "names of columns", "the goal's columns", _named_columns),
    _stated("name left right", "names of tables", "the goal's data sets", lambda a: {d.uri for d in a.part.data}),
    _stated("formulas formulas:name", "formulas and their names", "the goal's metrics", _formulas),
    _stated("at", "the moment that rows are parted at", "the goal's split", _moment),
    _stated(_CLASSES, "classes", "the goal's clauses", lambda a: texts(c.class_ for c in a.part.clauses)),
    _stated("gpu regions instance_types", "kinds of machine", "the goal's placement", _placement),
    _entry("metric", "names of metrics", "the metrics that the evaluator knows, and the goal's own", _metrics),
    _entry(_COLUMNS, "names of columns", "columns that the survey or the preparation saw", _columns),
    _entry(_CLASSES, "classes", "classes that the survey or the preparation saw", _classes),
    _entry("source hide", "places of data", "places that the survey looked at", _sources),
    _entry("gpu regions instance_types", "kinds of machine", "what is offered here", _offered),
    _entry(
        "name folder called others:name rivals:name",
        "names and folders of existing models",
        "the models that the goal names, and what serves",
        _models,
    ),
    _entry(
        "version to withdraw incumbent beside before",
        "versions",
        "versions of the endpoint, of the registry's entries that this run read or wrote, and of its deployments",
        _versions,
    ),
    _entry(
        "data model key digest url others rivals",
        "keys, digests and addresses",
        "results of this run, and the survey's models and endpoint",
        _objects,
    ),
    _entry("id", "what is to end", "what the survey found of the goal's name, and this run's own jobs", _released),
)
"""Every way in which a label is lifted without a person. There is no other."""

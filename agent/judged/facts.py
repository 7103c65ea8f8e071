"""What trusted code knows of a call before it is made: its cost, whose things it touches, what it undoes and reads.

Computed from the journal, the survey, the contract and the operator's limits; nothing here believes what a plan says of
itself. Where something is not known, the fact is absent or the worse of what it may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent import learning
from agent.contract import Part
from agent.judged import labels, ownership, pricing, scope
from agent.plan import Step
from agent.record.ledger import Purse
from agent.state import Run
from agent.survey import existing
from policies.engine import Policies
from policies.input import judged
from policies.request import LARGEST, Facts, Label, Request
from tools.catalogue import BY_NAME
from tools.inert import hidden_in
from tools.locations import canonical
from tools.record import Json
from tools.redact import secrets_in
from tools.tool import Tool


def request(
    step: Step,
    args: Json,
    run: Run,
    policies: Policies,
    *,
    purse: Purse,
    digest: str,
    now: float,
    preview: bool = False,
) -> Request:
    """The question that this call is to the policies. `args`: resolved; with `preview` those that are known already,
    and nothing is under way yet, whatever is."""
    tool = BY_NAME.get(step.tool)
    known = labels.labels(step, run)
    facts = Facts.model_validate(
        {
            "backend": run.stated.backend if run.stated is not None else "",
            "digest": digest,
            "now_ms": _milliseconds(max(now, run.last)),
            "limit_ms": _milliseconds(step.limit_s, up=True),
            "in_flight": 0 if preview else len(run.live_calls()),
            "jobs": purse.jobs,
            "in_hours": policies.limits.in_hours(max(now, run.last)),
            **_money(step, None if preview else args, run, purse, preview=preview, now=now),
            **_place(step, tool, args, run),
            **_thing(step, args, run),
            **_said(step, args, run),
            "secrets": secrets_in(args),
            "hidden": hidden_in(args),
            "tainted": tuple(sorted(path for path, label in known.items() if label == "outside")),
        }
    )
    return Request(
        requester=run.stated.owner if run.stated is not None else "",
        run=run.id,
        tool=step.tool,
        input=judged(tool, args) if tool is not None else {},
        facts=facts,
        taint=_taint(tool, known),
    )


def _milliseconds(seconds: float, *, up: bool = False) -> int:
    exact = Decimal(repr(seconds)) * 1000
    return min(LARGEST, math.ceil(exact) if up else math.floor(exact))


def _money(step: Step, args: Json | None, run: Run, purse: Purse, *, preview: bool, now: float) -> Json:
    """What it reserves and adds to what runs, and what every account it draws on still allows."""
    left, budget = None, run.contract.budget_usd if run.contract is not None else None
    if budget is not None:
        allowed = math.floor(Decimal(repr(budget)) * pricing.MICRO)
        left = max(-LARGEST, min(LARGEST, allowed) - run.settled_micro - (0 if preview else run.reserved_micro))
    added = pricing.rate_micro(step, run, args)
    return {
        "cost_micro": pricing.cost(step, run, args, now=now),
        "left_micro": left,
        "left_requester_micro": purse.left_requester_micro,
        "left_month_micro": purse.left_month_micro,
        "left_standing_micro": purse.left_standing_micro,
        "rate_micro_per_hour": min(LARGEST, purse.rate_micro_per_hour + (added or 0)),
        "gpu_ms": pricing.gpu_ms(step, run, args, now=now),
        "left_gpu_ms": purse.left_gpu_ms,
        "frozen": purse.frozen,
    }


def _place(step: Step, tool: Tool | None, args: Json, run: Run) -> Json:
    """Where it runs, what it reads there, and what of it others could reach."""
    contract, offer, part = run.contract, pricing.where(step, run), scope.part_of(step, run)
    folder = Path(run.stated.folder if run.stated is not None else "/")
    image = part.train.value if part is not None and part.train is not None and part.train.kind == "image" else None
    return {
        "environment": contract.environment if contract is not None else None,
        "namespace": contract.namespace if contract is not None else None,
        "region": offer.region or None if offer is not None else None,
        "instance": offer.id if offer is not None else None,
        "gpu": offer.gpu if offer is not None else None,
        "images": (image,) if image is not None and step.tool == "launch_training" else (),
        "locations": tuple(sorted({canonical(place, folder) for place in _read(tool, args)})),
        **{name: declared(tool, args, name) for name in ("public", "privileged", "host_mounts")},
    }


def declared(tool: Tool | None, args: Json, name: str) -> bool:
    """What a tool says of a call by an argument of that name: without one its calls are not so, and a value that is
    not plainly false counts as yes."""
    if tool is None or name not in tool.args.model_fields:
        return False
    return args.get(name, tool.args.model_fields[name].default) is not False


def _read(tool: Tool | None, args: Json) -> Iterator[str]:
    """Places outside our own objects that the call's arguments name, by the tool's own word for them."""
    for path in tool.places if tool is not None else ():
        for value in _at(args, path.split(".")):
            if isinstance(value, str) and value:
                yield value


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif path[0] == "*":
        for item in value if isinstance(value, list | tuple) else ():
            yield from _at(item, path[1:])
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _thing(step: Step, args: Json, run: Run) -> Json:
    """What it acts on, and whose that is."""
    tool, part = step.tool, scope.part_of(step, run)
    thing = ownership.target(tool, args)
    return {
        "target": thing[1] if thing is not None else None,
        "owner": ownership.owner(thing, run),
        "mine": ownership.mine(tool, args, run),
        "made_here": ownership.made_here(tool, args, run),
        "undoes": ownership.undoes(tool, args, run),
        "named": thing is not None and part is not None and part.task == "cleanup" and thing[1] in _named(part),
    }


def _named(part: Part) -> tuple[str | None, ...]:
    """What a goal that ends things calls them."""
    return (part.target, *part.source_models)


def _said(step: Step, args: Json, run: Run) -> Json:
    """What the goal and its data say that bears on the call."""
    part = scope.part_of(step, run)
    return {
        "constraints": _constraints(part, run),
        "scope": scope.departures(step, args, run),
        "personal": _personal(step, args, run),
        "licences": _licences(step, part, run),
    }


def _constraints(part: Part | None, run: Run) -> tuple[str, ...]:
    """What the goal rules out. A part that asks for training speaks of other models when it says not to train again."""
    said = set(run.contract.constraints) if run.contract is not None else set[str]()
    return tuple(sorted(said - {"no_retrain"} if part is not None and learning.learns(part) else said))


def _personal(step: Step, args: Json, run: Run) -> tuple[str, ...]:
    """Columns of the tables that it reads, those aside that it drops, that seem to hold personal data."""
    if step.tool != "prepare_data" or run.survey is None:
        return ()
    dropped, sources = args.get("drop_columns"), set(_read(BY_NAME[step.tool], args))
    gone = set(dropped) if isinstance(dropped, list | tuple) and all(isinstance(d, str) for d in dropped) else set()
    read = [f.profile for f in run.survey.data.values() if f.profile is not None and f.source in sources]
    return tuple(sorted({name for profile in read for name in profile.personal} - gone))


_BY_DATA = ("prepare_data",)
_BY_MODEL = ("bring_model", "evaluate_model", "deploy_model")
"""Calls that use what existed before: where its licence is a question."""


def _licences(step: Step, part: Part | None, run: Run) -> tuple[str, ...]:
    """Restricting licences that the part's data or its existing models state."""
    seen = run.survey
    if seen is None or part is None:
        return ()
    found = set[str]()
    if step.tool in _BY_DATA:
        profiles = (f.profile for d in part.data if (f := seen.data.get(d.uri)) is not None)
        found |= {name for profile in profiles if profile is not None for name in profile.licences}
    if step.tool in _BY_MODEL:
        found |= {name for model in existing(part, seen.endpoints) for name in seen.licences.get(model, ())}
    return tuple(sorted(found))


def _taint(tool: Tool | None, known: Mapping[str, Label]) -> dict[str, Label]:
    """Where each argument that policy judges came from: of all of its values, the least trusted."""
    read = {name for view in (tool.views if tool is not None else ()) for name in view.reads}
    found: dict[str, Label] = {}
    for path, label in known.items():
        name = path.partition(".")[0]
        if name in read:
            found[name] = labels.join(found.get(name, label), label)
    return found

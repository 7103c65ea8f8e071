"""Plans by backward chaining over what tools require and provide: for known tasks no model is needed.

From what the contract wants (a measured holdout, a kept endpoint) back to the data. Each fact is
provided by one tool; how many steps that tool becomes is the tool's own line in `EXPAND`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from agent import rollout, search
from agent.brain.protocol import Change, Terms
from agent.brain.rules.draft import Draft
from agent.brain.rules.expand import DEFAULT_METRIC, EXPAND, tune, watch
from agent.contract import Clause, Contract, Part, Train
from agent.plan import Plan, Step, resolve
from agent.survey import Survey
from tools.catalogue import BY_NAME, TOOLS
from tools.metrics import metric
from tools.record import Json
from tools.tool import Tool

SUPPORTED = ("classification", "regression", "deploy", "rollback")


def unsupported(contract: Contract) -> tuple[str, ...]:
    """Why no plan can be made: tasks, families, metrics and rollouts that no tool here provides."""
    return tuple(f"{part.name}: {why}" for part in contract.parts for why in _unsupported(part))


def _unsupported(part: Part) -> Iterator[str]:
    if part.task not in SUPPORTED:
        yield f"no tool here does {part.task}; there are {', '.join(SUPPORTED)}"
        return
    if part.rollout.strategy not in rollout.SUPPORTED:
        yield f"no tool here does a {part.rollout.strategy} rollout: {', '.join(rollout.SUPPORTED)}"
    if part.train is not None and part.train.kind == "image":
        yield "no backend here runs a training image"
    if part.train is not None and part.train.kind == "command":
        yield from _program(part, part.train)
    if part.task not in DEFAULT_METRIC:
        return
    for family in part.models if part.train is None else ():
        if part.task not in search.FAMILIES.get(family, ()):
            known = [f for f, tasks in search.FAMILIES.items() if part.task in tasks]
            yield f"no recipe here trains {family} for {part.task}: {', '.join(known)}"
    for clause in part.clauses:
        if clause.where == "holdout":
            yield from _unmeasurable(clause, part)


def _program(part: Part, train: Train) -> Iterator[str]:
    """What a user's own program must offer for what is asked of its model."""
    if any(c.where == "holdout" for c in part.clauses) and train.predict is None:
        yield "say how the program's model predicts (`train.predict: COMMAND`, run as COMMAND IN.csv OUT.csv)"
    if part.rollout.strategy != "none":
        yield "no tool here serves the model of a user's own program: leave the deployment out"


def _unmeasurable(clause: Clause, part: Part) -> Iterator[str]:
    known = metric(clause.metric)
    if known is None:
        yield f"{clause.metric} has no formula that the evaluator can compute"
    elif part.task not in known.tasks:
        yield f"{clause.metric} is not defined for {part.task}"
    elif clause.relative is not None:
        yield f"nothing here measures the {clause.relative.to} for {clause.metric}"


def propose(
    contract: Contract,
    survey: Survey,
    terms: Terms,
    *,
    before: Plan | None = None,
    started: frozenset[str] = frozenset(),
    results: Mapping[str, Json] | None = None,
    changes: tuple[Change, ...] = (),
) -> Plan:
    """The plan for a contract; with `before` and `changes`, its next version.

    Steps that were started are carried over as they are; the rest is planned anew.
    """
    steps: list[Step] = []
    for prefix, part in zip(_prefixes(contract), contract.parts, strict=True):
        draft = Draft(contract=contract, survey=survey, terms=terms, part=part, prefix=prefix, results=results or {})
        if before is not None:
            mine = before.of_part(part.name)
            change = next((c for c in changes if c.part == part.name), None)
            draft.steps = [s for s in mine if change is None or s.id in started]
            if change is not None:
                draft.carry()
                _REVISE[change.what](draft)
        else:
            for fact in _wanted(part):
                chain(draft, fact)
        steps += draft.steps
    version = 1 if before is None else before.version + 1
    return Plan(version=version, steps=tuple(steps))


def _wanted(part: Part) -> tuple[str, ...]:
    if part.task == "rollback":
        return ("rolled_back",)
    served = ("kept", "withdrawn") if part.rollout.strategy != "none" or part.task == "deploy" else ()
    if part.task == "deploy":
        return served
    return ("holdout" if any(c.where == "holdout" for c in part.clauses) else "model", *served)


def _prefixes(contract: Contract) -> list[str]:
    """What the ids of each part's steps begin with: nothing for a single part, else a word of its own."""
    if len(contract.parts) == 1:
        return [""]
    words: list[str] = []
    for index, part in enumerate(contract.parts):
        word = _slug(part.name) or f"part{index}"
        while word in words:
            word += str(index)
        words.append(word)
    return [f"{word}." for word in words]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:24].lstrip("0123456789_-")


def chain(d: Draft, fact: str) -> None:
    """Add the steps that make a fact true, after those that make its requirements true."""
    if fact in d.facts:
        return
    tool = _provider(d, fact)
    for needed in tool.requires:
        if needed != "data" or d.part.task != "deploy":  # requests for a registered model are registered with it
            chain(d, needed)
    if tool.name == "register_model" and d.evaluated:
        chain(d, "holdout")  # nothing is served that was not measured
    if tool.name == "extend_lease":
        chain(d, "live")  # nothing is handed over that was not watched
    d.facts[fact] = EXPAND[tool.name](d)


def _provider(d: Draft, fact: str) -> Tool:
    if fact == "candidate" and d.part.train is not None and d.part.train.kind == "command":
        return BY_NAME["launch_training"]
    if fact == "registered":
        return BY_NAME["find_model" if d.part.task == "deploy" else "register_model"]
    return next(tool for tool in TOOLS if fact in tool.provides)


def _search_on(d: Draft) -> None:
    """The next level: more candidates, another choice, and everything after it anew."""
    d.level += 1
    carried = d.facts.get("candidate", ())
    for fact in ("candidate", "model", "holdout", "registered", "version", "traffic", "live", "kept", "withdrawn"):
        d.facts.pop(fact, None)
    d.facts["candidate"] = (*carried, *tune(d))
    for fact in _wanted(d.part):
        chain(d, fact)


def _watch_on(d: Draft) -> None:
    """Watch the last stage again, twice as long, and end as planned."""
    last = next(s for s in reversed(d.steps) if s.tool == "monitor_endpoint")
    stage = rollout.Stage(percent=100, seconds=2 * float(last.args["seconds"]), rate_rps=float(last.args["rate_rps"]))
    shift = next(s.id for s in reversed(d.steps) if s.tool == "shift_traffic")
    watches = tuple(c for c in d.part.clauses if c.where == "live")
    data = d.facts.get("data", d.facts.get("registered", ()))[-1]
    longer = watch(d, stage, shift, d.of("version"), data, watches, round_=last.round + 1)
    d.facts["live"] = (longer,)
    d.facts.pop("kept", None)
    d.facts.pop("withdrawn", None)
    for fact in ("kept", "withdrawn"):
        chain(d, fact)


def _take_back(d: Draft) -> None:
    """Traffic goes back to what served before, and the new version goes; without one the endpoint is released."""
    deploys = [s for s in d.steps if s.tool == "deploy_model"]
    if not deploys:
        return
    needs = tuple(s.id for s in deploys if s.id in d.results)
    if incumbent := _incumbent(d, deploys[-1]):
        args: Json = {"endpoint": d.endpoint, "to": incumbent, "withdraw": _version(d, deploys[-1])}
        d.add("roll-back", "rollback_endpoint", args, needs=needs)
    elif d.survey.endpoints.get(d.endpoint) is None:
        d.add("release", "release_resource", {"kind": "endpoint", "id": d.endpoint}, needs=needs)


def _version(d: Draft, deploy: Step) -> str:
    """The version that a deployment is about, known before it has a result."""
    return str(resolve(deploy.args["version"], d.results))


def _incumbent(d: Draft, deploy: Step) -> str | None:
    """Who had the traffic before: as the deployment saw it, else (it runs, or it failed) as the survey did."""
    if (made := d.results.get(deploy.id)) is not None:
        return None if made["incumbent"] is None else str(made["incumbent"])
    before = d.survey.endpoints.get(d.endpoint)
    others = [v for v in before.versions if v.name != _version(d, deploy) and v.weight > 0] if before else []
    return max(others, key=lambda v: v.weight).name if others else None


_REVISE: dict[str, Callable[[Draft], None]] = {
    "search": _search_on,
    "extend": _watch_on,
    "roll_back": _take_back,
    "stop": lambda _: None,
}

"""What a goal about running things takes for granted, and whether it is so. Pure: a part and the survey."""

from __future__ import annotations

from collections.abc import Iterator

from agent import rollout
from agent.contract import Contract, Part
from agent.state import Run
from agent.survey import Survey, wanted_version
from tools.language import tr

NEEDED = ("rollback", "scale", "watch", "diagnose")
"""Tasks whose endpoint must be there."""


def misses(part: Part, seen: Survey) -> bool:
    """What the part acts on is not there."""
    if part.task == "cleanup":
        return bool(part.target) and not seen.meant(part)
    return part.task in NEEDED and seen.endpoints.get(part.endpoint) is None


def unfit(part: Part, seen: Survey) -> Iterator[str]:
    """Why the part cannot be carried out on what is there."""
    state = seen.endpoints.get(part.endpoint)
    serving = rollout.incumbent(state)
    if rollout.relative(part) and serving is None:
        yield tr(
            "nothing serves at {endpoint} that {metric} could be compared with",
            endpoint=part.endpoint,
            metric=rollout.relative(part)[0].metric,
        )
    if state is None or part.task not in NEEDED:
        return
    if serving is None and part.task in ("scale", "watch"):
        yield tr("no version of {endpoint} has traffic: deploy one first", endpoint=part.endpoint)
    elif part.task == "scale" and sum(v.weight > 0 for v in state.versions) > 1:
        shares = ", ".join(f"{v.name} {v.weight} %" for v in state.versions if v.weight > 0)
        yield tr(
            "the traffic of {endpoint} is split ({shares}): one version at a time can be scaled",
            endpoint=part.endpoint,
            shares=shares,
        )


def foreign(part: Part, seen: Survey, *, owner: str) -> Iterator[str]:
    """What is to be ended and belongs to somebody else."""
    for one in seen.meant(part) if part.task == "cleanup" else ():
        if one.owner != owner:
            yield tr(
                "{kind} {id} belongs to {owner}: they end it, or `goalkeeper stop {id}` asks",
                kind=tr(one.kind),
                id=one.id,
                owner=one.owner,
            )


def questions(part: Part, seen: Survey, *, owner: str) -> Iterator[str]:
    """What must be said first: nothing is ended, or gone back to, because it seems to be what is meant."""
    state = seen.endpoints.get(part.endpoint)
    if part.task == "rollback" and state is not None and not wanted_version(part):
        if seen.previous.get(part.endpoint) is None:
            yield tr(
                "nothing is known that {endpoint} was left with before {holds}: name the version to go back to",
                endpoint=part.endpoint,
                holds=", ".join(v.name for v in state.versions),
            )
        return
    if part.task != "cleanup" or part.target or seen.meant(part):
        return
    mine = [f"{tr(o.kind)} {o.id}" for o in seen.owned or () if o.owner == owner]
    if mine:
        yield tr("name what is to end; of yours there is {mine}", mine=", ".join(mine))
    else:
        yield tr("name what is to end; nothing that runs here is {owner}'s", owner=owner)


def handed_over(run: Run) -> Iterator[tuple[str, Part]]:
    """What of a run a standing goal looks after from its end on, each under the name of that goal."""
    parts = run.contract.parts if run.contract is not None else ()
    cancelled = any(d.action == "cancel" for d in run.decisions)
    for number, part in enumerate((p for p in parts if p.upkeep is not None), start=1):
        if run.plans and not cancelled and _stands(part, run):
            yield f"{run.id}.{number}", part


def _stands(part: Part, run: Run) -> bool:
    """The part has left an endpoint that it kept, or looked at one that is not its own."""
    steps = run.plan.of_part(part.name)
    if any(s.tool in ("deploy_model", "extend_lease") for s in steps):
        taken_back = any(d.part == part.name and d.change in ("stop", "roll_back") for d in run.decisions)
        return not taken_back and any(s.tool == "extend_lease" and run.done(s.id) for s in steps)
    there = run.survey is not None and run.survey.endpoints.get(part.endpoint) is not None
    return there and part.task in NEEDED and any(run.done(s.id) for s in steps)


def looked_after(part: Part) -> str:
    """What a person should know beforehand of a part that is to be looked after; empty for any other."""
    if part.upkeep is None:
        return ""
    return tr(
        "once this run has ended a standing goal looks after {endpoint}: `goalkeeper goals` shows it, and its "
        "checks are made by `goalkeeper worker`",
        endpoint=part.endpoint,
    )


def remarks(contract: Contract, seen: Survey, *, load_rps: float) -> tuple[str, ...]:
    """What a person should know of a plan beforehand."""
    said = []
    for part in contract.parts:
        said.append(rollout.remark(part, seen.endpoints.get(part.endpoint)))
        said.append(rollout.shortfall(part, load_rps=load_rps))
        said.append(looked_after(part))
    return tuple(s for s in said if s)

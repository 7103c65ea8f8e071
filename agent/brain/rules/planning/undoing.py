"""Back to what was before: traffic first, then size; without anything before, the version or the endpoint goes."""

from __future__ import annotations

from agent import rollout
from agent.brain.rules.planning.draft import Draft
from agent.brain.rules.planning.serving import incumbent, there
from agent.plan import Step, resolve
from tools.ports import VersionState
from tools.record import Json


def take_back(d: Draft) -> None:
    """The new version goes and what served before has all the traffic again; what was only scaled has its old size."""
    deploys = [s for s in d.steps if s.tool == "deploy_model"]
    if not deploys:
        _size_back(d)
        return
    needs = tuple(s.id for s in deploys if s.id in d.results)
    if before := _before(d, deploys[-1]):
        args: Json = {"endpoint": d.endpoint, "to": before, "withdraw": _version(d, deploys[-1])}
        known = incumbent(d)
        if known is not None and known.name == before and rollout.way(d.part, there(d)) == "rolling":
            args |= _former(known)
        d.add("roll-back", "rollback_endpoint", args, needs=needs)
    elif (known := incumbent(d)) is not None and known.name == _version(d, deploys[-1]):
        _size_back(d)  # it had the traffic before this run, and has nothing to go back to but its size
    else:
        _take_away(d, _version(d, deploys[-1]), needs)


def _take_away(d: Draft, version: str, needs: tuple[str, ...]) -> None:
    """Nothing had traffic: the version goes, and with it the endpoint where this run made it.

    An endpoint that was there before stays: to end it a person would have to be asked first.
    """
    if there(d) is not None:
        args: Json = {"endpoint": d.endpoint, "version": version}
        d.add("take-away", "withdraw_version", args, needs=needs)
    else:
        d.add("release", "release_resource", {"kind": "endpoint", "id": d.endpoint}, needs=needs)


def _former(known: VersionState) -> Json:
    """Its size before the run: what the endpoint's lease already paid for, and no server more."""
    return {"replicas": max(1, known.replicas), "added": 0}


def _size_back(d: Draft) -> None:
    scaled = [s for s in d.steps if s.tool == "scale_endpoint"]
    before = incumbent(d)
    if scaled and before is not None:
        args: Json = {"endpoint": d.endpoint, "to": before.name, **_former(before)}
        needs = tuple(s.id for s in scaled if s.id in d.results)
        d.add("roll-back", "rollback_endpoint", args, needs=needs)


def _version(d: Draft, deploy: Step) -> str:
    """The version that a deployment is about, known before it has a result."""
    return str(resolve(deploy.args["version"], d.results))


def _before(d: Draft, deploy: Step) -> str | None:
    """Who had the traffic before: as the deployment saw it, else (it runs, or it failed) as the survey did."""
    if (made := d.results.get(deploy.id)) is not None:
        return None if made["incumbent"] is None else str(made["incumbent"])
    state = there(d)
    others = [v for v in state.versions if v.name != _version(d, deploy) and v.weight > 0] if state else []
    return max(others, key=lambda v: v.weight).name if others else None

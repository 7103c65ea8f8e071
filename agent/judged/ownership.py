"""Whose a thing is that a call acts on, and whether the call only takes back what this run did.

From the journal and the survey alone: what nobody looked at belongs to somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent import rollout
from agent.judged.pricing import NOT_MADE
from agent.plan import Step, known
from agent.state import CallState, Run
from tools.catalogue import BY_NAME
from tools.ports import EndpointState, Owned
from tools.record import Json

_UNSEEN = object()


def target(tool: str, args: Json) -> tuple[str, str] | None:
    """(kind, id) of the endpoint, job, machine or object that a call acts on; None for what names none."""
    if tool == "release_resource":
        kind, name = args.get("kind"), args.get("id")
        return (kind, name) if isinstance(kind, str) and isinstance(name, str) else None
    if tool == "register_model":
        return ("object", f"models/{args['name']}") if isinstance(args.get("name"), str) else None
    return ("endpoint", args["endpoint"]) if isinstance(args.get("endpoint"), str) else None


def owner(thing: tuple[str, str] | None, run: Run) -> str | None:
    """Who it belongs to; None where it is not there, or nobody looked."""
    if thing is None:
        return None
    if thing[0] == "endpoint" and (known := _endpoint(thing[1], run)) is not None:
        return known.owner
    if (own := _owned(thing, run)) is not None:
        return own.owner
    return _requester(run) if _begun(thing, run) else None


def mine(tool: str, args: Json, run: Run) -> bool:
    """The thing acted on was made by this run, or belongs to the requester; what nobody looked at does not."""
    thing = target(tool, args)
    if thing is None:
        return tool in BY_NAME and not {"endpoint", "id"} & set(BY_NAME[tool].args.model_fields)
    kind, name = thing
    if kind == "object":
        return True  # names of the registry belong to nobody: which one is meant is a question of scope
    if kind != "endpoint" or run.survey is None or name not in run.survey.endpoints:
        own = _owned(thing, run)
        return _begun(thing, run) or (own is not None and own.owner == _requester(run))
    known = run.survey.endpoints[name]
    return known is None or known.owner == _requester(run) or own_version(args, run)


def made_here(tool: str, args: Json, run: Run) -> bool:
    """It was not there before this run made it."""
    thing = target(tool, args)
    if thing is None or not _begun(thing, run):
        return False
    if thing[0] != "endpoint":
        return True
    return run.survey is not None and run.survey.endpoints.get(thing[1], _UNSEEN) is None


def undoes(tool: str, args: Json, run: Run) -> bool:
    """It goes back to what was before this run, or releases what the run made, and does nothing else."""
    match tool:
        case "withdraw_version":
            return args.get("version", "") is None or own_version(args, run)  # where nothing was replaced nothing ends
        case "release_resource":
            return made_here(tool, args, run)
        case "rollback_endpoint":
            return _goes_back(args, run)
        case _:
            return False


def own_version(args: Json, run: Run) -> bool:
    """It ends a version that this run has put behind the endpoint and that was not there before."""
    name, version = args.get("endpoint"), args.get("version")
    if not isinstance(version, str) or set(args) != {"endpoint", "version"} or version not in deployed(name, run):
        return False
    before = _endpoint(name, run)
    return before is None or before.version(version) is None


def deployed(endpoint: object, run: Run) -> set[str]:
    """Versions that this run has deployed to the endpoint."""
    return {str(c.call.args.get("version")) for c in _deploys(endpoint, run)}


def foreseen(step: Step, run: Run) -> Json:
    """The arguments that are known before anything ran: those that are written, and which version will be replaced."""
    args = known(step.args)
    if step.tool == "withdraw_version" and "version" not in args and "version" in step.args:
        args = args | {"version": replaced(step, run)}
    return args


def replaced(step: Step, run: Run) -> str | None:
    """The version that a deployment of the step's part takes the place of; None where nothing served, or it stays."""
    parts = run.contract.parts if run.contract is not None else ()
    part = next((p for p in parts if p.name == step.part), None)
    if part is None or run.survey is None or rollout.stays(part, run.survey):
        return None
    there = rollout.incumbent(_endpoint(part.endpoint, run))
    return None if there is None else there.name


def _goes_back(args: Json, run: Run) -> bool:
    """All traffic to a version that had it before this run changed the endpoint, at most at its former size."""
    name, to, leaving = args.get("endpoint"), args.get("to"), args.get("withdraw")
    before, replicas = _endpoint(name, run), args.get("replicas")
    changed = any(c.call.args.get("endpoint") == name for c in _begun_by(run, ("deploy_model", "scale_endpoint")))
    served = {v.name for v in before.versions if v.weight > 0} if before is not None else set[str]()
    served |= {str(r.get("incumbent")) for c in _deploys(name, run) if (r := c.ended and c.ended.result)}
    if not changed or not isinstance(to, str) or to not in served or leaving not in (None, *deployed(name, run)):
        return False
    known = before.version(to) if before is not None else None
    size = max(known.replicas, 1) if known is not None else 1
    return replicas is None or (isinstance(replicas, int) and replicas <= size)


def _deploys(endpoint: object, run: Run) -> Iterator[CallState]:
    return (c for c in _begun_by(run, ("deploy_model",)) if c.call.args.get("endpoint") == endpoint)


def _begun_by(run: Run, tools: tuple[str, ...]) -> Iterator[CallState]:
    return (c for c in run.calls.by(*tools) if c.phase not in NOT_MADE)


def _begun(thing: tuple[str, str], run: Run) -> bool:
    """A call of this run makes or made it."""
    kind, name = thing
    if kind == "endpoint":
        return any(True for _ in _deploys(name, run))
    return kind == "job" and any(c.handle == name and BY_NAME[c.call.tool].uses == "jobs" for c in run.calls.values())


def _endpoint(name: object, run: Run) -> EndpointState | None:
    return run.survey.endpoints.get(str(name)) if run.survey is not None else None


def _owned(thing: tuple[str, str], run: Run) -> Owned | None:
    seen = run.survey.owned if run.survey is not None else None
    return next((o for o in seen or () if (o.kind, o.id) == thing), None)


def _requester(run: Run) -> str | None:
    return run.stated.owner if run.stated is not None else None

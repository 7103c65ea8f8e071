"""Plain orders about one endpoint, as runs of their own: judged, journalled and performed like any other."""

from __future__ import annotations

import re

from agent import estimate
from agent.contract import Contract, Part, Rollout
from agent.errors import Fault, InvalidRequest
from agent.plan import NOTHING, Estimate, Plan, Step
from agent.survey import Read, Survey, servers
from tools.catalogue import BY_NAME
from tools.compute import Offers
from tools.deploy import Inspected
from tools.record import Json
from tools.register import NAME

LIMIT_S = 120.0


def stop(endpoint: str, *, read: Read, at: float) -> tuple[Contract, Survey, Plan]:
    """End an endpoint and every version behind it. InvalidRequest when there is none."""
    contract = Contract(parts=(Part(name=endpoint, task="cleanup", target=endpoint),))
    return (
        contract,
        _survey(endpoint, read, at),
        _plan("release_resource", {"kind": "endpoint", "id": endpoint}, endpoint),
    )


def extend(endpoint: str, *, for_s: float, owner: str, read: Read, at: float) -> tuple[Contract, Survey, Plan]:
    """Let an endpoint live for that long from now on. InvalidRequest when there is none."""
    contract = Contract(parts=(Part(name=endpoint, task="deploy", target=endpoint, rollout=Rollout(lease_s=for_s)),))
    seen = _survey(endpoint, read, at)
    size = servers(seen.endpoints.get(endpoint))
    args: Json = {"endpoint": endpoint, "owner": owner, "for_s": for_s, "replicas": size}
    return contract, seen, _plan("extend_lease", args, endpoint)


def rollback(endpoint: str, *, to: str | None) -> Contract:
    """Give an endpoint's traffic back to a version, or to the one it was left with before. InvalidRequest for a name
    that nothing can have."""
    _checked(endpoint)
    if to is not None:
        _checked(to.rpartition(":")[2])
    return Contract(parts=(Part(name=endpoint, task="rollback", target=endpoint, source_models=(to,) if to else ()),))


def scale(endpoint: str, *, replicas: int) -> Contract:
    """Set the number of an endpoint's servers. InvalidRequest for a name that nothing can have."""
    _checked(endpoint)
    return Contract(parts=(Part(name=endpoint, task="scale", target=endpoint, rollout=Rollout(replicas=replicas)),))


def _checked(name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise InvalidRequest(Fault(place=name, what="nothing can have that name", fix="`goalkeeper sweep` lists them"))


def _survey(endpoint: str, read: Read, at: float) -> Survey:
    _checked(endpoint)
    state = Inspected.model_validate(read("inspect_endpoint", {"endpoint": endpoint})).state
    if state is None:
        raise InvalidRequest(
            Fault(place=endpoint, what="there is no endpoint of that name", fix="see goalkeeper sweep")
        )
    offers = Offers.model_validate(read("list_offers", {})).offers
    return Survey(at=at, offers=offers, endpoints={endpoint: state})


def _plan(tool: str, args: Json, part: str) -> Plan:
    step = Step(
        id=tool.partition("_")[0],
        tool=tool,
        part=part,
        effect=BY_NAME[tool].effect,
        args=args,
        estimate=Estimate(usd=NOTHING, seconds=estimate.exactly(0.0)),
        limit_s=LIMIT_S,
    )
    return Plan(version=1, steps=(step,))

"""Plain orders about one endpoint, as runs of a single step: judged, journalled and performed like any other."""

from __future__ import annotations

import re

from agent import estimate
from agent.contract import Contract, Part
from agent.errors import Fault, InvalidRequest
from agent.plan import NOTHING, Estimate, Plan, Step
from agent.survey import Read, Survey
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
    contract = Contract(parts=(Part(name=endpoint, task="deploy", target=endpoint),))
    args: Json = {"endpoint": endpoint, "owner": owner, "for_s": for_s}
    return contract, _survey(endpoint, read, at), _plan("extend_lease", args, endpoint)


def _survey(endpoint: str, read: Read, at: float) -> Survey:
    if not re.fullmatch(NAME, endpoint):
        raise InvalidRequest(
            Fault(place=endpoint, what="nothing can have that name", fix="`goalkeeper sweep` lists them")
        )
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

"""What a model answers when it is asked to plan: reads, or steps of a closed set, each with its few typed arguments.

Nothing in an answer is free text: names are those that were shown, numbers are bounded, and what a step costs, how long
it takes and what it does to the world is computed, never said.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tools.record import Record

MOST_STEPS = 12
MOST_READS = 6
WEEK_S = 604_800.0

Shown = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A name as the facts show it."""


class Result(Record):
    """The result of an earlier step, counted from 1."""

    from_: int = Field(alias="from", ge=1, le=MOST_STEPS)
    field: Literal["version"]

    model_config = Record.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class InspectEndpoint(Record):
    tool: Literal["inspect_endpoint"]
    endpoint: Shown


class ReadTraffic(Record):
    tool: Literal["read_traffic"]
    endpoint: Shown
    seconds: float = Field(gt=0, le=WEEK_S)


class ListOffers(Record):
    tool: Literal["list_offers"]


class QuoteCost(Record):
    """What the goal's machines cost, on these offers or in these regions; empty: on all."""

    tool: Literal["quote_cost"]
    offers: tuple[Shown, ...] = Field(max_length=20)
    regions: tuple[Shown, ...] = Field(max_length=20)


class FindModel(Record):
    """A version, or what the endpoint was left with before that version."""

    tool: Literal["find_model"]
    endpoint: Shown
    version: Shown | None
    before: Shown | None


class ScaleEndpoint(Record):
    """So many servers of the version that serves."""

    tool: Literal["scale_endpoint"]
    endpoint: Shown
    replicas: int = Field(ge=1, le=1000)


class RollbackEndpoint(Record):
    """All traffic to a version that is there, or was before."""

    tool: Literal["rollback_endpoint"]
    endpoint: Shown
    to: Shown | Result


class MonitorEndpoint(Record):
    """Send requests to what serves and measure what the goal demands of it."""

    tool: Literal["monitor_endpoint"]
    endpoint: Shown


class UsualPlan(Record):
    """Everything that the goal's own fields ask for, as it is usually done. Only as the first step."""

    tool: Literal["usual_plan"]


Look = InspectEndpoint | ReadTraffic | FindModel
Operation = InspectEndpoint | ReadTraffic | FindModel | ScaleEndpoint | RollbackEndpoint | MonitorEndpoint | UsualPlan
Inquiry = ListOffers | QuoteCost
Purchase = QuoteCost | UsualPlan
_BY_TOOL = Field(discriminator="tool")


class Operating(Record):
    """The answer where something runs: `kind` says which of the lists counts, the other is empty."""

    kind: Literal["reads", "steps"]
    reads: tuple[Annotated[Look, _BY_TOOL], ...] = Field(max_length=MOST_READS)
    steps: tuple[Annotated[Operation, _BY_TOOL], ...] = Field(max_length=MOST_STEPS)


class Placing(Record):
    """The answer where work has to find a place: `kind` says which of the lists counts, the other is empty."""

    kind: Literal["reads", "steps"]
    reads: tuple[Annotated[Inquiry, _BY_TOOL], ...] = Field(max_length=MOST_READS)
    steps: tuple[Annotated[Purchase, _BY_TOOL], ...] = Field(max_length=MOST_STEPS)


Answered = Operating | Placing

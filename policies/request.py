"""What policy judges: one call, the facts that trusted code knows of it, and where its arguments came from.

Amounts are integers (micro-USD, milliseconds, micro-units of a judged argument): policies compute with
nothing else. What is not known is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tools.record import Json, Record

Label = Literal["person", "file", "tool", "outside"]
"""Where a value came from, rising: the requester, their goal file, a typed result of our tools, outside text."""
Amount = int
"""An integer that fits a policy's 64 bits."""
LARGEST = 2**63 - 1


class Facts(Record):
    """What trusted code knows of a call: never what a model says of it. Sets are sorted tuples."""

    # The call.
    backend: str
    digest: str
    """sha256 of everything the call says."""
    now_ms: int
    """Never earlier than the run's last journal line, whatever the clock says."""
    limit_ms: int = Field(ge=0, le=LARGEST)
    """Its hard time limit."""
    # Money: what it reserves, and what every account it draws on still allows.
    cost_micro: int | None = Field(default=None, ge=0, le=LARGEST)
    """Absent when a price is not known."""
    left_micro: int | None = None
    """Of the goal's budget; absent when it sets none."""
    left_requester_micro: int | None = None
    left_month_micro: int | None = None
    left_standing_micro: int | None = None
    rate_micro_per_hour: int = Field(default=0, ge=0, le=LARGEST)
    """What runs on now and this call together cost an hour."""
    gpu_ms: int = Field(default=0, ge=0, le=LARGEST)
    """GPUs × hard limit."""
    left_gpu_ms: int | None = None
    frozen: bool = False
    """A bill came in above its reservation: nothing new starts."""
    # Where it acts, and whose it is.
    environment: str | None = None
    namespace: str | None = None
    region: str | None = None
    instance: str | None = None
    gpu: str | None = None
    images: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    """Canonical places of the data it reads: absolute paths after resolving links, `sklearn:NAME`, `s3://bucket/key`."""
    target: str | None = None
    """The endpoint, job, machine or object it acts on, by id."""
    owner: str | None = None
    """Who that belongs to, where somebody looked; absent where it is not there or nobody looked."""
    mine: bool = True
    """It was made by this run or belongs to the requester."""
    made_here: bool = False
    """It was not there before this run made it."""
    named: bool = False
    """The requester's own goal is to end exactly this, and names it."""
    undoes: bool = False
    """The call goes back to what was before this run, or releases what it made: budget, hours, parallelism and a
    freeze do not hold it."""
    public: bool = False
    privileged: bool = False
    host_mounts: bool = False
    # What the goal and its data say.
    constraints: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    """Fields of the contract that the call departs from: `data`, `models`, `endpoint`, `rollout`, `owner`."""
    personal: tuple[str, ...] = ()
    """Columns that seem to hold personal data."""
    licences: tuple[str, ...] = ()
    """Restricting licences of data and models it uses, as they say of themselves."""
    # Whether its arguments are inert.
    secrets: tuple[str, ...] = ()
    """Paths of arguments that hold a secret."""
    hidden: tuple[str, ...] = ()
    """Paths of arguments with characters that cannot be seen or that change reading order."""
    tainted: tuple[str, ...] = ()
    """Paths of arguments that came from outside text and that nothing endorsed."""
    # Time and number.
    in_hours: bool = True
    in_flight: int = Field(default=0, ge=0)
    """Calls of this run that are under way."""
    jobs: int = Field(default=0, ge=0)
    """Jobs of this home that are under way."""


class Request(Record):
    """One question to the policies."""

    requester: str
    run: str
    tool: str
    input: Json = {}
    """The arguments that policy judges, in canonical form."""
    facts: Facts
    taint: Mapping[str, Label] = {}
    """Where each judged argument came from."""

"""What a simulated world is like: how long work takes, how well it goes, what can be had and what breaks.

A world is data. It decides nothing; the other modules read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from tools.backends.sim.clock import START
from tools.backends.sim.faults import Fault
from tools.errors import Invalid
from tools.ports import Offer
from tools.recipes.records import Family
from tools.record import Record

WORLDS = Path(__file__).parent / "worlds"

Program = Literal["prepare", "train", "evaluate", "command"]


class Duration(Record):
    """How long a program takes in virtual time; a `load` takes exactly as long as it is asked to."""

    median_s: float = Field(gt=0)
    spread: float = Field(default=0.0, ge=0)
    """Standard deviation of the logarithm: 0.2 is about ±20 %."""
    per_trial_s: float = Field(default=0.0, ge=0)
    """What each trial of a search adds."""


class Learner(Record):
    """How one model family learns: best-so-far quality rises from `start` towards `plateau`."""

    start: float = Field(ge=0, le=1)
    plateau: float = Field(ge=0, le=1)
    """Never exceeded, however many trials."""
    scale: float = Field(default=5.0, gt=0)
    """Trials after which 63 % of the way is done."""
    noise: float = Field(default=0.01, ge=0)
    """Standard deviation of what a trial falls short of the curve."""


class Table(Record):
    """The data set that every `prepare` finds."""

    rows: int = Field(default=1000, ge=10)
    features: int = Field(default=8, ge=1)
    classes: tuple[str, ...] = ("no", "yes")
    duplicates: int = Field(default=0, ge=0)
    label_scale: float = Field(default=10.0, gt=0)
    """Regression errors are this times (1 - quality)."""


class Behaviour(Record):
    """How a served version answers."""

    p50_ms: float = Field(gt=0)
    spread: float = Field(default=0.2, ge=0)
    """Standard deviation of the logarithm of the latency."""
    enough: int = Field(default=1, ge=1)
    """Servers that it takes; with fewer, requests wait for each other and the spread is as many times as large."""
    error_rate: float = Field(default=0.0, ge=0, le=1)
    refusal_rate: float = Field(default=0.0, ge=0, le=1)
    """Share of well-formed requests that are answered with 4xx."""
    agreement: float = Field(default=1.0, ge=0, le=1)
    """As a shadow: share of its answers that say what the caller got."""
    difference: float | None = Field(default=None, ge=0)
    """As a shadow: mean absolute difference of its numbers; None where it answers with classes."""
    starts: bool = True
    """False: the version never becomes ready."""


class Requests(Record):
    """What callers send by themselves: rows a second, and how these move away from those that were there at first.

    Every feature is normal with unit variance. From `drifts_at` on the first few of them have another mean.
    """

    rows_per_s: float = Field(default=0.0, ge=0)
    drifts_at: float | None = Field(default=None, ge=0)
    """Seconds after the world has begun; None: never."""
    ramp_s: float = Field(default=0.0, ge=0)
    """How long it takes until the shift is whole; 0: it is sudden."""
    features: int = Field(default=1, ge=0)
    """How many features move."""
    shift: float = 1.0
    """How far, in standard deviations."""
    predictions: float = 0.0
    """How far the score moves that decides what is answered, in standard deviations."""


class World(Record):
    """Everything a simulated backend may be told."""

    name: str
    start: float = START
    """Epoch seconds at which a world of its own begins."""
    atomic: bool = True
    """What the creating ports promise; False: a repeated creation makes a second one."""
    staleness_s: float = Field(default=5.0, ge=0)
    call_timeout_s: float = Field(default=30.0, ge=0)
    """Virtual time a call takes that times out."""
    queue_s: float = Field(default=0.0, ge=0)
    """How long a job waits before it runs."""
    sandbox: bool = True
    """Whether a job that asks for isolation gets it."""
    durations: Mapping[Program, Duration]
    table: Table = Table()
    baseline: float = Field(default=0.5, ge=0, le=1)
    """Quality of the constant predictor."""
    learner: Learner
    """Families that are not named below, and users' own programs."""
    learners: Mapping[Family, Learner] = {}
    gap: float = 0.005
    """Mean by which quality on the holdout falls short of validation."""
    gap_spread: float = Field(default=0.005, ge=0)
    ready_s: float = Field(default=5.0, ge=0)
    """From deploy until a version is ready."""
    good: Behaviour
    bad: Behaviour
    bad_deploys: tuple[int, ...] = ()
    """Which deployments, counted from 1, give a bad version."""
    offers: tuple[Offer, ...] = ()
    bills: Mapping[Program | Literal["load"], int] = {}
    """Micro-USD that a job of the program is billed once it is over, whatever its hours; others cost their hours."""
    requests: Requests = Requests()
    """What endpoints get besides `load`."""
    provision_s: float = Field(default=60.0, ge=0)
    faults: tuple[Fault, ...] = ()
    """Armed from the start."""


def load_world(name: str | Path) -> World:
    """The world of that name among `worlds/*.yaml`, or of that file. Invalid with every fault and its place."""
    path = WORLDS / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(p.stem for p in WORLDS.glob("*.yaml")))
        raise Invalid(f"there is no world {str(name)!r}: give a file or one of {known}") from error
    try:
        return World.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise Invalid(f"{path}: {error}") from error
    except ValidationError as error:
        raise Invalid(*(f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from error

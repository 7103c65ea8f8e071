"""Training: a search by one of our recipes, the user's own program, and the choice among what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tools import jobs
from tools.errors import Failed
from tools.inert import hidden_in, line_of
from tools.judged import View
from tools.language import language, tr
from tools.ports import JobSpec, JobState
from tools.recipes.records import Measured, TrainArgs, TrainResult
from tools.record import Json, Record
from tools.tool import Done, Effect, Outcome, Running, Site, Tool

CLAIMS = "metrics.json"
"""What the user's program says of its own model."""
_FINDINGS = 20


class TuneModel(TrainArgs):
    """A search by one of our recipes."""

    data: str
    """Object key of the prepared data."""


class Candidate(TrainResult):
    """A trained model, and the key it lies under."""

    key: str
    isolation: str = "none"


def _tune(args: TuneModel, site: Site) -> Running:
    recipe = TrainArgs.model_validate(args.model_dump(exclude={"data"}))
    return jobs.start(jobs.recipe("train", recipe, site=site, mounts={"data": args.data}, sandbox=True), site)


def _candidate(made: TrainResult, state: JobState) -> Candidate:
    place = jobs.left(state)
    return Candidate(**{**dict(made), "key": place["key"] + "/model", "isolation": place["isolation"]})


def _tuned(args: TuneModel, site: Site, handle: str) -> Outcome:
    del args
    return jobs.follow(site, handle, TrainResult, _candidate)


tune_model = Tool(
    name="tune_model",
    does="Search one model family within trials and time on the validation part, in an isolated job.",
    effect=Effect.CREATES,
    args=TuneModel,
    result=Candidate,
    requires=("data",),
    provides=("candidate",),
    judged=("family", "trials", "data"),
    uses="jobs",
    start=_tune,
    follow=_tuned,
    find=jobs.find,
    stop=jobs.stop,
)


class LaunchTraining(Record):
    """The user's own program, started exactly as written."""

    data: str
    command: tuple[str, ...] = Field(min_length=1)
    folder: str
    hide: tuple[str, ...] = ()
    """Absolute paths the program must not find: the source of the data."""
    hyperparameters: Json = {}


class Trained(Record):
    """What the user's program left; what it says of itself is a claim."""

    key: str
    claimed: Json = {}
    family: str = "command"
    value: float | None = None
    validation: tuple[Measured, ...] = ()
    findings: tuple[str, ...] = ()
    """What is wrong with what it says of itself."""
    isolation: str = "none"


def _launch(args: LaunchTraining, site: Site) -> Running:
    spec = JobSpec(
        program="command",
        args={"hyperparameters": args.hyperparameters},
        argv=args.command,
        folder=args.folder,
        mounts={"data": args.data},
        hide=args.hide,
        sandbox=True,
        time_limit_s=site.limit_s,
        language=language(),
    )
    return jobs.start(spec, site)


class _Left(Record):
    """The result record of a `command` job."""

    claimed: Json = {}


def _launched(args: LaunchTraining, site: Site, handle: str) -> Outcome:
    del args

    def trained(made: _Left, state: JobState) -> Trained:
        place = jobs.left(state)
        folder = site.backend.objects.fetch(place["key"])
        if not any(path.is_file() and path.name != CLAIMS for path in folder.rglob("*")):
            raise Failed(tr("the program left no model in GOALKEEPER_OUTPUT_DIR"), cause="user_code_error")
        claimed, findings = readable_claims(made.claimed)
        if not made.claimed and (folder / CLAIMS).exists():
            told = tr("the program's {file} holds no claim that can be read: write an object of numbers", file=CLAIMS)
            findings = (told,)
        return Trained(claimed=claimed, findings=findings, **place)

    return jobs.follow(site, handle, _Left, trained)


def readable_claims(claimed: Json) -> tuple[Json, tuple[str, ...]]:
    """The claims that are plain JSON in plain words, and a finding for each that is not: a loss of NaN is no number."""
    kept, findings = {}, []
    for name, value in claimed.items():
        if hidden_in({name: value}):
            findings.append(
                tr(
                    "the program's {file} says something of {name!r} with characters that cannot be seen: left out",
                    file=CLAIMS,
                    name=line_of(name, limit=60),
                )
            )
            continue
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            findings.append(
                tr(
                    "the program's {file} says {value} of {name!r}, which is no number",
                    file=CLAIMS,
                    value=str(value)[:60],
                    name=name[:60],
                )
            )
        else:
            kept[name] = value
    return kept, tuple(findings[:_FINDINGS])


def _program(args: Json) -> object:
    """What the command starts: a set of its words would say nothing of their order."""
    command = args.get("command")
    return command[0] if command else None


launch_training = Tool(
    name="launch_training",
    does="Run the user's own training program, isolated, and take the model it leaves.",
    effect=Effect.CREATES,
    args=LaunchTraining,
    result=Trained,
    requires=("data",),
    provides=("candidate",),
    judged=(View(name="program", kind="text", reads=("command",), of=_program), "folder", "data"),
    places=("folder",),
    uses="jobs",
    start=_launch,
    follow=_launched,
    find=jobs.find,
    stop=jobs.stop,
)


class SelectModel(Record):
    """Candidates to choose from, judged on validation."""

    candidates: tuple[Json, ...] = Field(min_length=1)
    """Results of `tune_model` or `launch_training`."""
    metric: str
    direction: Literal["max", "min"]


class Selected(Record):
    """The best candidate on validation."""

    key: str
    family: str
    params: Json = {}
    digest: str = ""
    value: float | None
    """The metric on validation; None when the program measured nothing we computed."""
    baseline: float | None = None
    validation: tuple[Measured, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    trials: int = 0
    """Trials spent over all candidates."""
    rivals: Mapping[str, str] = {}
    """The best candidate of each other family → the key it lies under."""


def _select(args: SelectModel, site: Site) -> Done:
    del site
    sign = 1.0 if args.direction == "max" else -1.0

    def rank(candidate: Json) -> float:
        value = candidate.get("value")
        return float("-inf") if value is None else sign * value

    ranked = sorted(args.candidates, key=rank, reverse=True)
    best = ranked[0]
    if "key" not in best:
        raise Failed(tr("a candidate has no model"), cause="unknown")
    fields = {name: best[name] for name in Selected.model_fields if name in best}
    fields["trials"] = sum(int(c.get("trials", 0)) for c in args.candidates)
    fields["rivals"] = {
        str(c["family"]): c["key"] for c in reversed(ranked) if "key" in c and c.get("family") != best.get("family")
    }
    return Done(result=Selected.model_validate(fields).model_dump(mode="json"))


select_model = Tool(
    name="select_model",
    does="Choose the candidate that is best on the validation part.",
    effect=Effect.READS,
    args=SelectModel,
    result=Selected,
    requires=("candidate",),
    provides=("model",),
    judged=("metric",),
    start=_select,
)

"""What a simulated program leaves: typed like the recipes' results, decided by the world and its seed.

The same arguments give the same result, whenever and however often they are run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from tools.backends.sim import learning
from tools.backends.sim.evidence import CLASSES, holdout_rows
from tools.backends.sim.state import Job, State, Tree, digest_of, resolve
from tools.backends.sim.traffic import outcome
from tools.backends.sim.world import Duration, World
from tools.errors import Failed, Invalid
from tools.language import tr
from tools.ports import Failure, JobSpec
from tools.recipes.records import (
    Against,
    Column,
    Columns,
    Compared,
    EvaluateArgs,
    EvaluateResult,
    Joined,
    JoinOn,
    LoadArgs,
    Measure,
    PrepareArgs,
    PrepareResult,
    Task,
    TrainArgs,
    TrainResult,
)
from tools.record import Json, Record

KINDS: Mapping[Task, Literal["text", "image"]] = {"text-classification": "text", "image-classification": "image"}
"""What features are where they are no numbers."""
UNLABELLED = ("clustering", "recommendation")
"""Tasks that need no label."""
TRAIN = "train.parquet"
VALIDATION = "validation.parquet"
HOLDOUT = "holdout.sealed"
"""What `prepare` leaves, under the names the recipes use; the content is a stand-in."""


class Script(Record):
    """What a simulated `command` does: `spec.args["sim"]`, all optional."""

    seconds: float | None = Field(default=None, gt=0)
    exit: int = 0
    lines: tuple[str, ...] = ()
    """What it prints."""
    claimed: Json = {}
    """What it says of itself."""


class Claims(Record):
    """The result of a `command`."""

    claimed: Json = {}


ARGS: Mapping[str, type[BaseModel]] = {
    "prepare": PrepareArgs,
    "train": TrainArgs,
    "evaluate": EvaluateArgs,
    "load": LoadArgs,
}


def check(state: State, spec: JobSpec) -> None:
    """Invalid with every fault of a job that could not start."""
    faults: list[str] = []
    try:
        if spec.program == "command":
            script(spec)
        else:
            ARGS[spec.program].model_validate(spec.args)
    except ValidationError as error:
        faults += [f"{spec.program}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if spec.program == "command" and not spec.argv:
        faults.append("argv: a command needs at least its program")
    faults += [
        f"mounts.{name}: there is no object {key!r}"
        for name, key in spec.mounts.items()
        if resolve(state.objects, key) is None
    ]
    if faults:
        raise Invalid(*faults)


def script(spec: JobSpec) -> Script:
    return Script.model_validate(spec.args.get("sim", {}))


def duration(state: State, spec: JobSpec) -> float:
    """Seconds the program takes by itself."""
    if spec.program == "load":
        return LoadArgs.model_validate(spec.args).seconds
    if spec.program == "command" and (seconds := script(spec).seconds) is not None:
        return seconds
    usual = state.world.durations.get(spec.program, Duration(median_s=10.0))
    factor = state.draw("duration", spec.program, _canonical(spec.args)).lognormvariate(0.0, usual.spread)
    if spec.program != "train":
        return usual.median_s * factor
    args = TrainArgs.model_validate(spec.args)
    return usual.median_s * factor + min(args.seconds, usual.per_trial_s * args.trials * factor)


def _trials(world: World, args: TrainArgs) -> int:
    """Trials that fit into the search's soft limit."""
    each = world.durations["train"].per_trial_s if "train" in world.durations else 0.0
    return args.trials if each == 0 else max(1, min(args.trials, int(args.seconds / each)))


def finish(state: State, job: Job) -> None:
    """Set the job's result, or its failure, and store what it leaves."""
    try:
        made, tree = _work(state, job)
    except Failed as error:
        job.failure = Failure(cause=error.cause, message=str(error))
        return
    job.result = made.model_dump(mode="json")
    state.objects[f"jobs/{job.id}"] = tree


def _work(state: State, job: Job) -> tuple[BaseModel, Tree]:
    """The program's result and its output folder."""
    match job.spec.program:
        case "prepare":
            return _prepare(state, job.spec)
        case "train":
            return _train(state, job.spec, job.ends - job.starts)
        case "evaluate":
            return _evaluate(state, job.spec)
        case "load":
            return outcome(job), {}
        case "command":
            return _command(state, job.spec)


def _canonical(args: Json) -> str:
    return json.dumps(args, sort_keys=True)


def _sha(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _prepare(state: State, spec: JobSpec) -> tuple[PrepareResult, Tree]:
    args, table = PrepareArgs.model_validate(spec.args), state.world.table
    rows = table.rows - table.duplicates
    own = all(t.role == "holdout" for t in args.tables)
    holdout = rows if own else max(1, round(rows * args.split.holdout))
    validation = 0 if own else max(1, round((rows - holdout) * args.split.validation))
    classes = table.classes if args.task in CLASSES or _ranks_by_class(args) else ()
    label = args.label if args.label is not None or args.task in UNLABELLED else "target"
    about = "\0".join((str(state.seed), state.world.name, _canonical(spec.args))).encode()
    tree = {name: name.encode() + b"\0" + about for name in (TRAIN, VALIDATION, HOLDOUT)}
    names = [n for n in (f"x{i}" for i in range(1, table.features + 1)) if n not in args.drop_columns]
    made = PrepareResult(
        label=label,
        roles=_roles(args),
        joins=tuple(_joined(one, rows) for one in args.joins),
        columns=tuple(Column(name=n, kind=KINDS.get(args.task, "number"), missing=0, distinct=rows) for n in names),
        rows=table.rows,
        train_rows=rows - holdout - validation,
        validation_rows=validation,
        holdout_rows=holdout,
        duplicates_removed=table.duplicates,
        unlabelled_removed=0,
        missing_removed=0,
        classes=classes,
        positive=classes[-1] if len(classes) == 2 else None,
        digests={
            "source": _sha(b"source", about),
            "split": _sha(b"split", about),
            "train": _sha(tree[TRAIN]),
            "validation": _sha(tree[VALIDATION]),
            "holdout": _sha(tree[HOLDOUT]),
        },
    )
    state.prepared[_sha(tree[TRAIN])] = made
    return made, tree


def _roles(args: PrepareArgs) -> Columns:
    """Those that are named; where a task needs one that is not, the name that such a column usually has."""
    by = {args.split.by: args.split.column}
    found = Columns(time=args.time or by.get("time"), group=args.group or by.get("group"))
    if args.task == "forecasting":
        return found.model_copy(update={"time": found.time or "date"})
    if args.task == "recommendation":
        return found.model_copy(update={"user": args.group or "user_id", "item": "item_id"})
    return found


def _joined(one: JoinOn, rows: int) -> Joined:
    """Every row finds one partner."""
    return Joined(left=one.left, right=one.right, on=one.on, rows_before=rows, rows_after=rows, unmatched=0, repeated=0)


def _ranks_by_class(args: PrepareArgs) -> bool:
    return args.task == "recommendation" and args.label is not None


def _prepared(state: State, spec: JobSpec) -> PrepareResult:
    """The prepared data among the mounts. Failed without it."""
    part = (resolve(state.objects, spec.mounts.get("data", "")) or {}).get(TRAIN)
    made = None if part is None else state.prepared.get(_sha(part))
    if made is None:
        raise Failed(
            tr("the mount `data` holds no prepared data: {file} is not there", file=TRAIN), cause="data_missing"
        )
    return made


def _train(state: State, spec: JobSpec, seconds: float) -> tuple[TrainResult, Tree]:
    args, world, data = TrainArgs.model_validate(spec.args), state.world, _prepared(state, spec)
    rng = state.draw("train", args.family, str(args.seed))
    history = learning.search(world.learners.get(args.family, world.learner), _trials(world, args), rng)
    quality, scale = history[-1], world.table.label_scale
    card = {"task": args.task, "family": args.family, "label": args.label, "quality": quality, "args": spec.args}
    model = {"model.json": json.dumps(card).encode()}
    state.quality[digest_of(model)] = quality
    wanted = tuple(dict.fromkeys((*args.measures, Measure(metric=args.metric, of=args.metric_class))))

    def metric(q: float) -> float:
        return learning.value_of(args.metric, q, label_scale=scale)

    made = TrainResult(
        family=args.family,
        params={"trial": history.index(quality) + 1},
        trials=len(history),
        value=metric(quality),
        baseline=metric(world.baseline),
        validation=learning.measure(wanted, quality, rows=data.validation_rows, label_scale=scale, rng=rng),
        history=tuple(metric(q) for q in history),
        curve=tuple((n, metric(q)) for n, q in learning.by_rows(quality, data.train_rows)),
        digest=digest_of(model),
        data_digest=data.digests["train"],
        seconds=seconds,
    )
    return made, {"model/model.json": model["model.json"]}


def _evaluate(state: State, spec: JobSpec) -> tuple[EvaluateResult, Tree]:
    args, world, data = EvaluateArgs.model_validate(spec.args), state.world, _prepared(state, spec)
    model, rows, scale = _model(state, spec), data.holdout_rows, world.table.label_scale
    rng = state.draw("evaluate", model)
    quality = _on_holdout(state, model, args, rows)
    classes = args.classes or data.classes
    written = holdout_rows(args.task, classes, quality, rows=rows, source=data.rows, scale=scale, rng=rng)
    made = EvaluateResult(
        measured=learning.measure(args.measures, quality, rows=rows, label_scale=scale, rng=rng),
        compared=tuple(c for one in args.against for c in _compared(state, spec, args, one, quality, rows)),
        rows=rows,
        digests={
            "model": model,
            "holdout": data.digests["holdout"],
            "evaluator": _sha(b"sim"),
            "train": data.digests["train"],
        },
    )
    return made, {"holdout_rows.csv": written, "evaluation.json": made.model_dump_json().encode()}


def _on_holdout(state: State, model: str, args: EvaluateArgs, rows: int) -> float:
    """How good a model is on the holdout: a little worse than it was on validation, the same at every look."""
    world = state.world
    gap = state.draw("gap", model).gauss(world.gap, world.gap_spread)
    quality = min(1.0, max(0.0, state.quality.get(model, world.baseline) - gap))
    return round(quality * rows) / rows if args.task in CLASSES else quality


def _compared(
    state: State, spec: JobSpec, args: EvaluateArgs, one: Against, quality: float, rows: int
) -> tuple[Compared, ...]:
    """The paired difference to another model on the same rows, or to the constant predictor."""
    alone = one.to == "baseline"
    other = state.world.baseline if alone else _on_holdout(state, _model(state, spec, one.name), args, rows)
    return learning.compare(args.measures, one, quality, other, rows=rows, label_scale=state.world.table.label_scale)


def _model(state: State, spec: JobSpec, mount: str = "model") -> str:
    """Digest of the mounted model. One that this world did not train is as good as the constant predictor."""
    tree = resolve(state.objects, spec.mounts.get(mount, ""))
    if tree is None:
        raise Failed(tr("there is no mount `{mount}`", mount=mount), cause="data_missing")
    return digest_of(tree)


def _command(state: State, spec: JobSpec) -> tuple[Claims, Tree]:
    """A user's program leaves a model as good as the world's nameless learner, and claims about itself."""
    told = script(spec)
    if told.exit != 0:
        raise Failed(tr("the command ended with exit code {code}", code=told.exit), cause="user_code_error")
    quality = learning.search(state.world.learner, 10, state.draw("command", *spec.argv, _canonical(spec.args)))[-1]
    tree = {
        "model.json": json.dumps({"command": spec.argv, "quality": quality}).encode(),
        "metrics.json": json.dumps(told.claimed).encode(),
    }
    state.quality[digest_of(tree)] = quality
    return Claims(claimed=told.claimed), tree

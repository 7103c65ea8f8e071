"""How many steps each tool becomes for one part, and with which arguments. One function a tool."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import PurePosixPath

from agent import estimate, judge, rollout, search
from agent.brain.rules.draft import Draft
from agent.contract import Clause, Data, Part
from agent.observe import QUANTILES
from agent.plan import Range, ref
from agent.survey import BUNDLED, source_model
from tools.metrics import metric
from tools.record import Json

DEFAULT_METRIC = {"classification": "accuracy", "regression": "rmse"}


def _prepare(d: Draft) -> tuple[str, ...]:
    data = d.part.data[0]
    facts = d.survey.data[data.uri]
    split = d.part.split
    by_default = "stratified" if d.part.task == "classification" else "random"
    args: Json = {
        "source": facts.source,
        "format": format_of(data),
        "task": d.part.task,
        "label": data.label,
        "clean": [c for c in (d.part.prepare.clean if d.part.prepare else ()) if c != "augment"],
        "drop_columns": list(d.part.prepare.drop_columns) if d.part.prepare else [],
        "seed": d.seed(),
        "split": {"by": split.by if split else by_default}
        | ({"column": split.column, "at": split.at} if split else {})
        | ({"holdout": split.holdout} if split and split.holdout is not None else {}),
    }
    return (d.add("prepare", "prepare_data", args, seconds=estimate.prepare_s(*d.size())),)


FORMATS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def format_of(data: Data) -> str:
    """How to read it: as the goal says, else by the file's ending, else CSV."""
    if data.uri.startswith(BUNDLED):
        return "bundled"
    return data.format or FORMATS.get(PurePosixPath(data.uri).suffix.lower(), "csv")


def _objective(part: Part) -> tuple[str, str, str | None]:
    """(metric, direction, class) that validation optimises."""
    if part.objective is not None:
        return part.objective.metric, part.objective.direction, None
    clause = next((c for c in part.clauses if c.where == "holdout"), None)
    name = clause.metric if clause is not None else DEFAULT_METRIC[part.task]
    known = metric(name)
    return name, known.better if known is not None else "max", clause.class_ if clause is not None else None


def _measures(part: Part, look: int = 1) -> list[Json]:
    asked = [
        {"metric": c.metric, "of": c.class_, "confidence": judge.confidence(c, look)}
        for c in part.clauses
        if c.where == "holdout"
    ]
    return asked or [{"metric": _objective(part)[0]}]


def _from_data(d: Draft) -> Json:
    data = d.of("data")
    return {name: ref(data, name) for name in ("label", "classes", "positive")} | {
        "data": ref(data, "key"),
        "task": d.part.task,
    }


def tune(d: Draft) -> tuple[str, ...]:
    name, _, class_ = _objective(d.part)
    method = d.part.search.method if d.part.search is not None else None
    ids = []
    for family in search.families(d.part, d.level):
        trials = search.trials(d.part, d.level)
        seconds = estimate.tune_s(family, trials, *d.size())
        args = _from_data(d) | {
            "family": family,
            "metric": name,
            "metric_class": class_,
            "method": method or "tpe",
            "trials": trials,
            "seconds": max(30.0, 2 * (seconds.high or 30.0)),
            "measures": _measures(d.part),
            "clean": [c for c in (d.part.prepare.clean if d.part.prepare else ()) if c != "augment"],
            "seed": d.seed(d.level),
        }
        step = f"tune-{family.replace('_', '-')}" + _nth(d.level)
        ids.append(d.add(step, "tune_model", args, seconds=seconds, needs=(d.of("data"),), round_=d.level))
    return tuple(ids)


def _launch(d: Draft) -> tuple[str, ...]:
    train = d.part.train
    assert train is not None
    args: Json = {
        "data": ref(d.of("data"), "key"),
        "command": shlex.split(train.value),
        "folder": d.terms.folder,
        "hide": _sources(d),
    }
    return (d.add("train", "launch_training", args, seconds=Range(low=1.0, high=600.0), needs=(d.of("data"),)),)


def _sources(d: Draft) -> list[str]:
    """Files that hold the labels: a user's own program must not find them."""
    return [f.source for f in d.survey.data.values() if not f.source.startswith(BUNDLED)]


def _select(d: Draft) -> tuple[str, ...]:
    name, direction, _ = _objective(d.part)
    candidates = d.facts["candidate"]
    args: Json = {"candidates": [ref(c, "result") for c in candidates], "metric": name, "direction": direction}
    return (d.add("select" + _nth(d.level), "select_model", args, needs=candidates, round_=d.level),)


def _evaluate(d: Draft) -> tuple[str, ...]:
    look = 1 + sum(1 for s in d.steps if s.tool == "evaluate_model")
    clauses = tuple(c for c in d.part.clauses if c.where == "holdout")
    train = d.part.train
    args = _from_data(d) | {
        "model": ref(d.of("model"), "key"),
        "measures": _measures(d.part, look),
        "predict": train.predict if train is not None else None,
        "folder": d.terms.folder if train is not None else None,
        "hide": _sources(d) if train is not None else [],
        "seed": d.seed(),
    }
    needs = (d.of("data"), d.of("model"))
    name = "evaluate" + _nth(d.level)
    seconds = estimate.evaluate_s(*d.size())
    return (d.add(name, "evaluate_model", args, seconds=seconds, needs=needs, measures=clauses, round_=d.level),)


def _register(d: Draft) -> tuple[str, ...]:
    needs = (d.of("model"), d.of("data"), *d.facts.get("holdout", ()))
    data = d.of("data")
    args = {
        "name": d.endpoint,
        "model": ref(d.of("model"), "key"),
        "data": ref(data, "key"),
        "label": ref(data, "label"),
    }
    return (d.add("register" + _nth(d.level), "register_model", args, needs=needs),)


def _find(d: Draft) -> tuple[str, ...]:
    name, version = source_model(d.part) or (d.endpoint, None)
    return (d.add("find", "find_model", {"name": name, "version": version}),)


def _deploy(d: Draft) -> tuple[str, ...]:
    stages = _stages(d)
    length = sum(s.seconds for s in stages)
    made = d.of("registered")
    args: Json = {
        "endpoint": d.endpoint,
        "version": ref(made, "version"),
        "model": ref(made, "key"),
        "digest": ref(made, "digest"),
        "replicas": d.part.rollout.replicas or 1,
        "lease_s": 600.0 + 8 * length,
    }
    return (d.add("deploy" + _nth(d.level), "deploy_model", args, seconds=Range(low=1.0, high=8.0), needs=(made,)),)


def _stages(d: Draft) -> tuple[rollout.Stage, ...]:
    alone = d.survey.endpoints.get(d.endpoint) is None
    return rollout.stages(d.part, load_rps=d.terms.load_rps, alone=alone)


def _shift(d: Draft) -> tuple[str, ...]:
    """Every stage: shift, watch, and only then the next. The last watch is the fact `live`."""
    deployed, data = d.of("version"), d.facts.get("data", d.facts["registered"])[-1]
    watches = tuple(c for c in d.part.clauses if c.where == "live")
    stages = _stages(d)
    before: tuple[str, ...] = (deployed,)
    shifts, monitors = [], []
    for index, stage in enumerate(stages):
        args: Json = {
            "endpoint": d.endpoint,
            "version": ref(deployed, "version"),
            "percent": stage.percent,
            "incumbent": ref(deployed, "incumbent"),
        }
        name = f"shift-{stage.percent}" + _nth(d.level)
        shifts.append(d.add(name, "shift_traffic", args, seconds=Range(low=0.0, high=1.0), needs=before))
        last = index == len(stages) - 1
        monitors.append(watch(d, stage, shifts[-1], deployed, data, watches if last else (), round_=0))
        before = (monitors[-1],)
    d.facts["live"] = (monitors[-1],)
    return tuple(shifts)


def watch(
    d: Draft,
    stage: rollout.Stage,
    shift: str,
    deployed: str,
    data: str,
    measures: tuple[Clause, ...],
    *,
    round_: int,
) -> str:
    thresholds = sorted(
        {float(c.value) for c in d.part.clauses if c.metric in QUANTILES and isinstance(c.value, int | float)}
    )
    args: Json = {
        "endpoint": d.endpoint,
        "url": ref(deployed, "url"),
        "version": ref(deployed, "version"),
        "data": ref(data, "key" if "data" in d.facts else "data"),
        "label": ref(data, "label"),
        "since": ref(shift, "at"),
        "seconds": stage.seconds,
        "rate_rps": round(stage.rate_rps, 3),
        "thresholds_ms": thresholds,
        "whole": stage.percent == 100,
        "seed": d.seed(stage.percent + round_),
    }
    name = f"monitor-{stage.percent}" + _nth(d.level) + ("" if round_ == 0 else f"-longer{round_}")
    needs = (shift, deployed, data)
    return d.add(
        name,
        "monitor_endpoint",
        args,
        seconds=estimate.exactly(stage.seconds),
        needs=needs,
        measures=measures,
        round_=round_,
        limit_s=round(stage.seconds + estimate.SHORTEST_LIMIT_S, 1),
    )


def _live(d: Draft) -> tuple[str, ...]:
    return d.facts["live"]  # the stages made it together with the shifts


def _keep(d: Draft) -> tuple[str, ...]:
    args: Json = {
        "endpoint": d.endpoint,
        "owner": d.terms.owner,
        "for_s": d.part.rollout.lease_s or d.terms.lease_s,
        "exactly": d.part.rollout.lease_s is not None,
        "replicas": d.part.rollout.replicas or 1,
    }
    return (d.add("keep" + _tail(d), "extend_lease", args, needs=(d.of("live"), d.of("version"))),)


def _withdraw(d: Draft) -> tuple[str, ...]:
    if d.survey.endpoints.get(d.endpoint) is None:
        return ()
    args: Json = {"endpoint": d.endpoint, "version": ref(d.of("version"), "incumbent")}
    return (
        d.add("withdraw" + _tail(d), "withdraw_version", args, needs=(d.of("live"), d.of("version"), d.of("kept"))),
    )


def _tail(d: Draft) -> str:
    """Steps after a watch are named after how often it was extended."""
    rounds = max((s.round for s in d.steps if s.tool == "monitor_endpoint"), default=0)
    return _nth(d.level) + ("" if rounds == 0 else f"-longer{rounds}")


def _nth(level: int) -> str:
    return "" if level == 0 else f"-{level + 1}"


def _inspect(d: Draft) -> tuple[str, ...]:
    return (d.add("inspect", "inspect_endpoint", {"endpoint": d.endpoint}),)


def _roll_back_goal(d: Draft) -> tuple[str, ...]:
    state = d.survey.endpoints.get(d.endpoint)
    versions = sorted(state.versions, key=lambda v: v.weight) if state is not None else []
    wanted = d.part.source_models[0].partition(":")[2] if d.part.source_models else ""
    to = wanted or (versions[0].name if len(versions) > 1 else "previous")
    return (d.add("roll-back", "rollback_endpoint", {"endpoint": d.endpoint, "to": to}, needs=(d.of("endpoint"),)),)


EXPAND: dict[str, Callable[[Draft], tuple[str, ...]]] = {
    "prepare_data": _prepare,
    "tune_model": tune,
    "launch_training": _launch,
    "select_model": _select,
    "evaluate_model": _evaluate,
    "register_model": _register,
    "inspect_endpoint": _inspect,
    "find_model": _find,
    "deploy_model": _deploy,
    "shift_traffic": _shift,
    "monitor_endpoint": _live,
    "extend_lease": _keep,
    "withdraw_version": _withdraw,
    "rollback_endpoint": _roll_back_goal,
}

"""From data to a measured model: how many steps each tool becomes for one part, and with which arguments."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from agent import judge, learning, search
from agent.brain.rules.planning import comparing
from agent.brain.rules.planning.draft import Draft, nth
from agent.contract import Data
from agent.plan import ref
from agent.survey import BUNDLED
from tools.record import Json

_STRATIFIED = ("classification", "text-classification", "image-classification")


def prepare(d: Draft) -> tuple[str, ...]:
    wanted = d.part.prepare
    args: Json = {
        "tables": tables(d),
        "joins": [join.model_dump(mode="json") for join in wanted.join] if wanted else [],
        "task": d.task,
        "label": _label(d),
        "time": next((t.time for t in d.part.data if t.time), None),
        "group": next((t.id for t in d.part.data if t.id), None),
        "clean": _clean(d),
        "drop_columns": list(wanted.drop_columns) if wanted else [],
        "seed": d.seed(),
        "split": _split(d),
    }
    time = d.takes("prepare_data")
    return (d.add("prepare", "prepare_data", args, seconds=time.seconds, limit_s=d.limit_s(time)),)


def _label(d: Draft) -> str | None:
    """The column that the goal names; where it names none, what an existing model says it predicts."""
    named = learning.labelled(d.part)
    if named is not None or d.part.task not in learning.EXISTING:
        return named
    return next((d.survey.labels[m] for m in comparing.models(d) if m in d.survey.labels), None)


def tables(d: Draft) -> list[Json]:
    """Every data set of the part, the one that the rows come from first."""
    main = learning.main_table(d.part)
    ordered = sorted(d.part.data, key=lambda data: data is not main)
    existing = d.part.task in learning.EXISTING
    return [
        {
            "name": data.uri,
            "source": d.survey.data[data.uri].source,
            "format": format_of(data, d.task),
            "role": "holdout" if existing and data is main else data.role,
        }
        for data in ordered
    ]


def _clean(d: Draft) -> list[str]:
    return [c for c in (d.part.prepare.clean if d.part.prepare else ()) if c != "augment"]


def _split(d: Draft) -> Json:
    """As the goal says; else as the task needs it: what comes later is never used to foretell what came before."""
    split, time = d.part.split, next((t.time for t in d.part.data if t.time), None)
    if split is None:
        in_time = d.task == "forecasting" or (d.task == "recommendation" and time is not None)
        return {"by": "time" if in_time else "stratified" if d.task in _STRATIFIED else "random"}
    column = split.column or (time if split.by == "time" else None)
    share = {} if split.holdout is None else {"holdout": split.holdout}
    return {"by": split.by, "column": column, "at": split.at} | share


FORMATS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def format_of(data: Data, task: str) -> str:
    """How to read it: as the goal says, else by the file's ending, else as the task's data usually lies."""
    if data.uri.startswith(BUNDLED):
        return "bundled"
    usual = "images" if task == "image-classification" and data.role in ("train", "holdout") else "csv"
    return data.format or FORMATS.get(PurePosixPath(data.uri).suffix.lower(), usual)


def measures_of(d: Draft) -> list[Json]:
    """What is measured: the clauses on the holdout, and what decides where no clause does."""
    asked: list[Json] = [
        {"metric": c.metric, "of": c.class_, "confidence": judge.confidence(c, 1)}
        for c in learning.holdout_clauses(d.part)
    ]
    asked = [a for i, a in enumerate(asked) if a not in asked[:i]]
    name, _, class_ = deciding(d)
    if asked and (not comparing.always(d) or any(a["metric"] == name for a in asked)):
        return asked
    return [*asked, {"metric": name} | ({"of": class_} if class_ else {})]


def deciding(d: Draft) -> tuple[str, str, str | None]:
    """(metric, direction, class) that decides between models: what a comparison names may be a formula."""
    wanted = d.part.objective
    if d.part.task in learning.EXISTING and wanted is not None:
        return wanted.metric, wanted.direction, None
    return learning.objective(d.part, d.task)


def _from_data(d: Draft) -> Json:
    data = d.of("data")
    return {name: ref(data, name) for name in ("label", "roles", "classes", "positive")} | {
        "data": ref(data, "key"),
        "task": d.task,
    }


def tune(d: Draft) -> tuple[str, ...]:
    name, _, class_ = learning.objective(d.part, d.task)
    method = d.part.search.method if d.part.search is not None else None
    ids = []
    for family in search.families(d.part, d.level, d.survey):
        trials = search.trials(d.part, d.level, d.survey)
        time = d.takes("tune_model", family=family, trials=trials)
        args = _from_data(d) | {
            "family": family,
            "metric": name,
            "metric_class": class_,
            "method": method or "tpe",
            "trials": trials,
            "seconds": max(30.0, 2 * (time.bound.high or 30.0)),
            "measures": [m for m in measures_of(d) if not str(m["metric"]).startswith(learning.CUSTOM)],
            "clean": _clean(d),
            "seed": d.seed(d.level),
        }
        step = f"tune-{family.replace('_', '-')}" + nth(d.level)
        limit = d.limit_s(time)
        needs = (d.of("data"),)
        ids.append(d.add(step, "tune_model", args, seconds=time.seconds, needs=needs, round_=d.level, limit_s=limit))
    return tuple(ids)


def launch(d: Draft) -> tuple[str, ...]:
    train = d.part.train
    assert train is not None
    command = shlex.split(train.value)
    args: Json = {
        "data": ref(d.of("data"), "key"),
        "command": command,
        "folder": d.terms.folder,
        "hide": _sources(d),
    }
    time, needs = d.takes("launch_training", command=command), (d.of("data"),)
    return (d.add("train", "launch_training", args, seconds=time.seconds, needs=needs, limit_s=d.limit_s(time)),)


def _sources(d: Draft) -> list[str]:
    """Files that hold the labels: a user's own program must not find them."""
    return [f.source for f in d.survey.data.values() if not f.source.startswith(BUNDLED)]


def select(d: Draft) -> tuple[str, ...]:
    name, direction, _ = learning.objective(d.part, d.task)
    candidates = d.facts["candidate"]
    args: Json = {"candidates": [ref(c, "result") for c in candidates], "metric": name, "direction": direction}
    return (d.add("select" + nth(d.level), "select_model", args, needs=candidates, round_=d.level),)


def evaluate(d: Draft) -> tuple[str, ...]:
    models, time = d.facts["model"], d.takes("evaluate_model")
    paired = comparing.pairs(d)
    ids = []
    for index, key in enumerate(models if d.part.task in learning.EXISTING else models[-1:]):
        if index and index == len(models) - 1:
            break  # the last of several models was compared by every other one
        rivals = paired if index == 0 else comparing.after(d, index)
        own = d.part.train if learning.by_command(d.part) else None
        args = _from_data(d) | {
            "model": ref(key, "key"),
            "measures": measures_of(d),
            "predict": own.predict if own is not None else None,
            "folder": d.terms.folder if own is not None else None,
            "hide": _sources(d) if own is not None else [],
            "formulas": learning.formulas(d.part),
            "seed": d.seed(),
        }
        needs = (d.of("data"), key, *rivals.needs)
        name = "evaluate" + (f"-model{index + 1}" if index else "") + nth(d.level)
        clauses = tuple(learning.holdout_clauses(d.part)) if index == 0 else ()
        ids.append(
            d.add(
                name,
                "evaluate_model",
                args | rivals.args,
                seconds=time.seconds,
                limit_s=d.limit_s(time),
                needs=needs,
                measures=clauses,
                round_=d.level,
            )
        )
    return tuple(ids)

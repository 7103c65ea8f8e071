"""A run as MLflow shows it: one parent run with the contract and its verdicts, one nested run for each trained model.

A mirror, not a record: the journal stays the truth, a failure here never changes a run, and mirroring twice
changes nothing, since every run is found again by its tag.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.documents import RunReport
from agent.observe import Observation
from agent.state import CallState, Run
from agent.tracking.mlflow import Client, Metric, Status, TrackingError
from tools.record import Json

EXPERIMENT = "goalkeeper"
TAG = "goalkeeper.call"
_STATUS: Mapping[int, Status] = {0: "FINISHED", 1: "FINISHED", 4: "FINISHED"}
_TRAINING = ("tune_model", "launch_training")


def mirror(run: Run, report: RunReport, client: Client, *, files: Mapping[str, Path]) -> str:
    """Write the run to the server; the id of its parent run there. TrackingError, whatever the server answers.

    `files`: artefact path → file. What is measured on rows or of people does not go: reports and evaluations do.
    """
    try:
        return _mirror(run, report, client, files)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OSError) as error:
        raise TrackingError(f"the tracking server's answers are not MLflow's: {type(error).__name__}") from error


def _mirror(run: Run, report: RunReport, client: Client, files: Mapping[str, Path]) -> str:
    experiment = client.experiment(EXPERIMENT)
    parent = _run(client, experiment, run.id, name=run.id, started=run.started, tags=_parent_tags(run, report))
    client.log(parent, params=_demands(run), metrics=list(_verdicts(run, report)))
    for state in run.calls.values():
        if state.call.tool in _TRAINING and state.phase == "done" and state.ended is not None:
            _model(client, experiment, parent, state, state.ended.result or {}, run)
    for path, source in files.items():
        client.put(parent, path, source)
    client.end(parent, status=_ended(report), ended_ms=_ms(run.last))
    return parent


def _run(client: Client, experiment: str, call: str, *, name: str, started: float, tags: Mapping[str, str]) -> str:
    found = client.find(experiment, TAG, call)
    if found is not None:
        return found
    return client.create(experiment, name=name, started_ms=_ms(started), tags={TAG: call, **tags})


def _parent_tags(run: Run, report: RunReport) -> Mapping[str, str]:
    stated = run.stated
    tags = {"goalkeeper.status": report.status, "goalkeeper.exit_code": str(report.exit_code)}
    if stated is not None:
        tags |= {
            "mlflow.note.content": stated.goal.text,
            "mlflow.user": stated.owner,
            "mlflow.source.name": "goalkeeper",
        }
        tags |= {"goalkeeper.goal_digest": stated.goal.digest}
    return tags


def _demands(run: Run) -> Mapping[str, str]:
    """What was asked, clause by clause."""
    parts = run.contract.parts if run.contract is not None else ()
    asked = {f"{p.name}.{c.id}": f"{c.metric} {c.op} {c.value}" for p in parts for c in p.clauses}
    return asked | {f"{p.name}.task": p.task for p in parts}


def _verdicts(run: Run, report: RunReport) -> Iterator[Metric]:
    at = _ms(run.last)
    for clause in report.clauses:
        key = f"{clause.part}.{clause.id}"
        yield Metric(key=f"{key}.met", value=1.0 if clause.verdict == "MET" else 0.0, timestamp_ms=at)
        if isinstance(clause.measured, int | float) and math.isfinite(clause.measured):
            yield Metric(key=key, value=float(clause.measured), timestamp_ms=at)
    yield Metric(key="spent_usd", value=report.spent.usd, timestamp_ms=at)


def _model(client: Client, experiment: str, parent: str, state: CallState, result: Json, run: Run) -> None:
    """One trained model: its parameters, its search step by step, and what was measured on validation."""
    tags = {"mlflow.parentRunId": parent, "goalkeeper.run": run.id, "goalkeeper.digest": str(result.get("digest", ""))}
    started, ended = state.started_at or run.started, state.ended_at or run.last
    made = _run(client, experiment, state.call.id, name=state.call.step, started=started, tags=tags)
    params = {"family": str(result.get("family", "")), "trials": str(result.get("trials", ""))}
    params |= {str(name): str(value) for name, value in (result.get("params") or {}).items()}
    client.log(
        made, params=params, metrics=[*_search(state, result, ended), *_measured(result, ended), *_later(state, run)]
    )
    client.end(made, status="FINISHED", ended_ms=_ms(ended))


def _search(state: CallState, result: Json, at: float) -> Iterator[Metric]:
    objective = str(state.call.args.get("metric", "value"))
    for step, value in enumerate(result.get("history") or ()):
        yield Metric(key=f"search.best_{objective}", value=float(value), timestamp_ms=_ms(at), step=step)


def _measured(result: Json, at: float) -> Iterator[Metric]:
    for measured in result.get("validation") or ():
        if measured.get("value") is not None:
            of = f".{measured['of']}" if measured.get("of") else ""
            yield Metric(
                key=f"validation.{measured['metric']}{of}", value=float(measured["value"]), timestamp_ms=_ms(at)
            )


def _later(state: CallState, run: Run) -> Iterator[Metric]:
    """What the holdout and live traffic said of this very model, known by its digest."""
    digest = (state.ended.result or {}).get("digest") if state.ended is not None else None
    for seen in run.observations:
        if digest and seen.stage == "holdout" and seen.digests.get("model") == digest and seen.value is not None:
            yield Metric(key=_key(seen), value=seen.value, timestamp_ms=_ms(run.last))


def _key(seen: Observation) -> str:
    return f"{seen.stage}.{seen.metric}" + (f".{seen.of}" if seen.of else "")


def _ended(report: RunReport) -> Status:
    return "KILLED" if report.status == "cancelled" else _STATUS.get(report.exit_code, "FAILED")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

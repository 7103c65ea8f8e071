"""A plan carried out without a world: every step is judged as in a run, and comes to a result that fits it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from given import NOW, Story

from agent.contract import Contract, Part
from agent.plan import Step
from agent.state import Ended, Run, Verdict
from agent.survey import DataFacts, Survey, existing, is_path, source_of, wanted_version
from tools.ports import EndpointState, Offer, Owned, VersionState
from tools.recipes.probe_records import Probe, ProbedColumn, ProbedLabel
from tools.record import Json

HERE = Offer(id="here", backend="sim", cpus=4, memory_gb=16, usd_micro_per_hour=0, standing=True)


def seen(wanted: Contract, *, serves: bool, folder: str = "/work") -> Survey:
    """A survey in which everything is there that the contract takes for granted, and with `serves` every endpoint."""

    data = {d.uri: _table(d.uri, p, Path(folder)) for p in wanted.parts for d in p.data}
    needed = ("rollback", "scale", "watch", "diagnose", "cleanup")
    endpoints = {p.endpoint: _endpoint(p) if serves or p.task in needed else None for p in wanted.parts}
    names = dict.fromkeys(name for p in wanted.parts for name in existing(p, endpoints))
    return Survey(
        at=NOW,
        data=data,
        offers=(HERE,),
        endpoints=endpoints,
        models={name: str(Path(folder) / name) if is_path(name) else _key(name) for name in names},
        previous={p.endpoint: f"{p.endpoint}:v0" for p in wanted.parts if p.task == "rollback"},
        owned=tuple(_owned(p) for p in wanted.parts if p.task == "cleanup"),
    )


def _key(name: str) -> str:
    plain, _, version = name.partition(":")
    return f"models/{plain}/{version or 'v1'}"


def _table(uri: str, part: Part, folder: Path) -> DataFacts:
    label = next((d.label for d in part.data if d.label), None)
    named = [n for d in part.data if d.uri == uri for n in (d.time, d.id) if n]
    columns = tuple(ProbedColumn(name=n, kind="number", missing=0, distinct=9) for n in dict.fromkeys(["x", *named]))
    task = part.task if part.task in ("regression", "forecasting") else "classification"
    found = ProbedLabel(name=label, kind="category", missing=0, distinct=2, suggested_task=task) if label else None  # type: ignore[arg-type]
    source = source_of(uri, folder)
    profile = Probe(source=source, format="csv", rows=1000, sampled=1000, complete=True, columns=columns, label=found)
    return DataFacts(uri=uri, source=source, profile=profile)


def _endpoint(part: Part) -> EndpointState:
    serving = VersionState(
        name="v1", state="ready", weight=100, model=f"models/{part.endpoint}/v1", digest="d1", replicas=2, ready=2
    )
    back = wanted_version(part).rpartition(":")[2] if part.task == "rollback" else ""
    before = VersionState(name=back or "v0", state="ready", weight=0, model=f"models/{part.endpoint}/v0", digest="d0")
    return EndpointState(
        name=part.endpoint,
        url=f"sim://{part.endpoint}",
        versions=(serving, before) if part.task == "rollback" else (serving,),
        run="before",
        owner="ada",
        lease_until=NOW + 36_000.0,
        started=NOW,
    )


def _owned(part: Part) -> Owned:
    return Owned(
        kind="endpoint",
        id=part.endpoint,
        run="before",
        call="before/x/1",
        owner="ada",
        lease_until=NOW + 1,
        started=NOW,
    )


def carry(story: Story, until: str = "") -> list[Verdict]:
    """Carry the current plan out, everything that is asked approved by whoever may; the verdicts in order. It ends
    before a step of the tool `until`."""
    verdicts: list[Verdict] = []
    while ready := [s for s in story.run.ready() if s.tool != until]:
        for step in ready:
            agree(story)
            if story.begun(step.id) == "held":
                agree(story)
                story.begun(step.id)
            state = story.run.of_step(step.id)
            assert state is not None
            verdicts.append(state.verdict)
            if state.phase != "intended":
                return verdicts
            result = RESULTS[step.tool](state.call.args, step, story.run)
            story.tell("outcome", Ended(call=state.call.id, phase="done", result=result, handle=f"job-{step.id}"))
    return verdicts


def agree(story: Story) -> None:
    """Everybody says yes to what they may answer."""
    for question in list(story.run.pending.values()):
        who = next(w for w in ("ada", "bob", "dan", "sue") if question.may_be_answered_by(w))
        story.answered(question.id, approve=True, who=who)


def _prepared(args: Json, step: Step, run: Run) -> Json:
    return {
        "key": f"jobs/{step.id}",
        "label": args.get("label") or "target",
        "classes": ["no", "yes"],
        "positive": "yes",
        "roles": {},
        "columns": [{"name": "x", "kind": "number", "missing": 0, "distinct": 9}],
    }


def _trained(args: Json, step: Step, run: Run) -> Json:
    family = args.get("family", "command")
    return {"key": f"jobs/{step.id}/model", "family": family, "value": 0.9, "validation": [], "trials": 8}


def _selected(args: Json, step: Step, run: Run) -> Json:
    best, *others = args["candidates"]
    return {
        "key": best["key"],
        "family": best["family"],
        "value": 0.9,
        "rivals": {o["family"]: o["key"] for o in others},
    }


def _registered(args: Json, step: Step, run: Run) -> Json:
    key = f"models/{args['name']}/v-1"
    return {
        "key": key,
        "version": "v-1",
        "digest": "d-1",
        "data": f"requests/{args['name']}/v-1",
        "label": args["label"],
    }


def _found(args: Json, step: Step, run: Run) -> Json:
    version = args.get("version") or "v1"
    name = f"{args['name']}/{version}"
    return {"key": f"models/{name}", "version": version, "digest": "d", "data": f"requests/{name}", "label": "target"}


def _deployed(args: Json, step: Step, run: Run) -> Json:
    state = run.survey.endpoints.get(args["endpoint"]) if run.survey is not None else None
    now = next((v.name for v in state.versions if v.weight > 0 and v.name != args["version"]), None) if state else None
    return {
        "endpoint": args["endpoint"],
        "url": f"sim://{args['endpoint']}",
        "version": args["version"],
        "digest": args.get("digest", ""),
        "incumbent": now,
    }


def _at(args: Json, step: Step, run: Run) -> Json:
    more = {"endpoint": args["endpoint"], "url": f"sim://{args['endpoint']}"} if "endpoint" in args else {}
    return {"at": NOW + 1.0, "key": f"jobs/{step.id}", "lease_until": NOW + 9_000.0} | more


RESULTS: Mapping[str, Callable[[Json, Step, Run], Json]] = {
    "prepare_data": _prepared,
    "tune_model": _trained,
    "launch_training": _trained,
    "select_model": _selected,
    "register_model": _registered,
    "find_model": _found,
    "bring_model": lambda args, step, run: {
        "key": f"imports/{step.id}",
        "version": "v-9",
        "digest": "d9",
        "label": "target",
    },
    "deploy_model": _deployed,
    **dict.fromkeys(
        (
            "evaluate_model",
            "shift_traffic",
            "mirror_traffic",
            "scale_endpoint",
            "rollback_endpoint",
            "inspect_endpoint",
            "monitor_endpoint",
            "extend_lease",
            "withdraw_version",
            "release_resource",
            "quote_cost",
            "read_traffic",
            "read_drift",
        ),
        _at,
    ),
}

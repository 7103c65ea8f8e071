"""Contracts, surveys and runs as data, for tests of what decides without touching anything."""

from __future__ import annotations

from agent.brain.protocol import Terms
from agent.brain.rules.planning.propose import propose
from agent.contract import Clause, Contract, Data, Part, Rollout
from agent.documents import Feasibility
from agent.goal import Goal
from agent.guard import preview, review
from agent.plan import Estimate, Plan, Step
from agent.state import Answer, Ended, Intent, Planned, Run, Stated
from agent.survey import DataFacts, Survey
from policies.limits import Limits, load_limits
from tools.catalogue import BY_NAME
from tools.ports import EndpointState, Offer, VersionState
from tools.record import Json, Record

NOW = 1_767_225_600.0
URI = "sklearn:breast_cancer"
TERMS = Terms(load_rps=100.0, lease_s=28_800.0, owner="ada", folder="/work")
LIMITS = load_limits()


def clause(metric: str, op: str, value: float, where: str = "holdout", **more: object) -> Clause:
    return Clause.model_validate({"id": metric, "metric": metric, "op": op, "value": value, "where": where} | more)


ACCURACY = clause("accuracy", ">=", 0.9)
LATENCY = clause("latency_p95_ms", "<=", 80, "live")
ERRORS = clause("error_rate", "<=", 0.01, "live")


def part(*clauses: Clause, name: str = "model", target: str | None = "tumours", **more: object) -> Part:
    """A part about breast cancer; `strategy` and `steps` are its rollout's."""
    rollout = {k: more.pop(k) for k in Rollout.model_fields if k in more}
    fields: dict[str, object] = {
        "name": name,
        "target": target,
        "task": "classification",
        "data": (Data(uri=URI, label="target", format="bundled"),),
        "clauses": clauses,
        "rollout": Rollout.model_validate(rollout),
    }
    return Part.model_validate(fields | more)


def contract(*parts: Part, **more: object) -> Contract:
    return Contract.model_validate({"parts": parts} | more)


def offer(usd_per_hour: float | None = 0.0) -> Offer:
    price = None if usd_per_hour is None else round(usd_per_hour * 1_000_000)
    return Offer(id="here", backend="sim", cpus=4, memory_gb=16, usd_micro_per_hour=price, standing=True)


def endpoint(*versions: tuple[str, int], name: str = "tumours", owner: str = "ada") -> EndpointState:
    """An endpoint with these (version, weight)."""
    there = tuple(VersionState(name=v, state="ready", weight=w, model=f"models/{v}", digest=v) for v, w in versions)
    return EndpointState(
        name=name, url=f"sim://{name}", versions=there, run="before", owner=owner, lease_until=NOW + 1e6, started=NOW
    )


def survey(*endpoints: EndpointState, usd_per_hour: float | None = 0.0) -> Survey:
    return Survey(
        at=NOW,
        data={URI: DataFacts(uri=URI, source=URI)},
        offers=(offer(usd_per_hour),),
        endpoints={"tumours": None} | {e.name: e for e in endpoints},
    )


def step(id_: str, tool: str = "prepare_data", args: Json | None = None, **more: object) -> Step:
    """A step of a real tool with arguments that fit it, unless others are given."""
    known = BY_NAME.get(tool)
    fields: dict[str, object] = {
        "id": id_,
        "tool": tool,
        "part": "model",
        "effect": known.effect if known is not None else "destroys",
        "args": args if args is not None else dict(FITTING.get(tool, {})),
        "estimate": Estimate(),
        "limit_s": 120.0,
    }
    return Step.model_validate(fields | more)


TABLE: Json = {"name": URI, "source": URI, "format": "bundled"}
FITTING: dict[str, Json] = {
    "prepare_data": {"tables": [TABLE], "task": "classification", "label": "target"},
    "find_model": {"name": "tumours"},
    "deploy_model": {"endpoint": "tumours", "version": "v1", "model": "models/tumours/v1", "lease_s": 600.0},
    "shift_traffic": {"endpoint": "tumours", "version": "v1", "percent": 10},
    "extend_lease": {"endpoint": "tumours", "owner": "ada", "for_s": 3600.0},
    "release_resource": {"kind": "endpoint", "id": "tumours"},
    "withdraw_version": {"endpoint": "tumours", "version": "v0"},
    "rollback_endpoint": {"endpoint": "tumours", "to": "v0"},
}


def plan(*steps: Step, version: int = 1) -> Plan:
    return Plan(version=version, steps=steps)


def proposed(wanted: Contract, seen: Survey | None = None) -> Plan:
    return propose(wanted, seen or survey(), TERMS)


class Story:
    """A run that is told line by line, as its journal would."""

    def __init__(
        self,
        wanted: Contract,
        chosen: Plan | None = None,
        *,
        seen: Survey | None = None,
        accept: bool = False,
        limits: Limits = LIMITS,
    ) -> None:
        self.limits = limits
        self.run = Run(id="r")
        self._tell(
            "goal",
            Stated(
                goal=Goal.of("the goal", source="cli:ada"),
                accept=accept,
                owner="ada",
                backend="sim",
                brain="given",
                plan_now="2026-01-01T00:00:00+00:00",
                folder="/work",
            ),
        )
        self.run.contract = wanted
        self.run.survey = seen or survey()
        self.planned(chosen or proposed(wanted, self.run.survey))

    def _tell(self, kind: str, record: Record, at: float = NOW) -> None:
        self.run.apply(self.run.seq + 1, at, kind, record)

    def planned(self, chosen: Plan) -> Planned:
        """A version of the plan, with the approvals that it would ask."""
        self.run.plans.append(Planned(plan=chosen, approvals=(), feasibility=Feasibility(verdict="feasible")))
        asked, _ = preview(chosen, self.run, self.limits)
        self.run.plans[-1] = Planned(plan=chosen, approvals=asked, feasibility=Feasibility(verdict="feasible"))
        return self.run.plans[-1]

    def answered(self, pending: str, *, approve: bool, who: str = "bob") -> None:
        self._tell("answer", Answer(pending=pending, approve=approve, who=who))

    def begun(self, id_: str, *, attempt: int = 1) -> str:
        """The step is judged and, when it may be, its intent is journalled; the ruling."""
        found = self.run.plan.step(id_)
        assert found is not None, id_
        verdict, approved = review(found, self.run, self.limits, attempt=attempt)
        self._tell("verdict", verdict)
        if approved is not None:
            self._tell("intent", Intent(call=verdict.call.id, digest=verdict.call.digest))
        return verdict.ruling

    def ended(self, id_: str, result: Json | None = None, *, attempt: int = 1, **more: object) -> None:
        """The step was performed and came to this."""
        self.begun(id_, attempt=attempt)
        fields: dict[str, object] = {"call": f"r/{id_}/{attempt}", "phase": "done", "result": result or {}}
        self._tell("outcome", Ended.model_validate(fields | more))

    def failed(self, id_: str, cause: str, *, attempt: int = 1) -> None:
        self.ended(id_, attempt=attempt, phase="failed", result=None, cause=cause, message=f"it failed: {cause}")

    def tell(self, kind: str, record: Record, at: float = NOW) -> None:
        self._tell(kind, record, at)

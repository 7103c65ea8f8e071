"""Contracts, surveys and runs as data, for tests of what decides without touching anything."""

from __future__ import annotations

from peopled import policies

from agent.approving.approvals import beforehand, ended, yes_or_no
from agent.approving.asking import call_questions, questions
from agent.approving.audience import Today
from agent.brain.protocol import Terms
from agent.brain.rules.planning.propose import propose
from agent.contract import Clause, Contract, Data, Part, Rollout
from agent.documents import Feasibility, Pending
from agent.goal import Goal
from agent.guard import Approved, preview, review
from agent.plan import Estimate, Plan, Step
from agent.record.ledger import Purse
from agent.state import Ended, Intent, Planned, Run, Stated, Verdict
from agent.survey import DataFacts, Survey
from policies.engine import Policies
from tools.catalogue import BY_NAME
from tools.ports import EndpointState, Offer, VersionState
from tools.record import Json, Record

NOW = 1_767_225_600.0
URI = "sklearn:breast_cancer"
TERMS = Terms(load_rps=100.0, lease_s=28_800.0, owner="ada", folder="/work")
POLICIES: Policies = policies()
"""Ada asks for everything, bob releases."""


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
        policies: Policies = POLICIES,
        purse: Purse | None = None,
        brain: str = "rules",
    ) -> None:
        self.policies = policies
        self.purse = purse or Purse()
        self.run = Run(id="r")
        self._tell(
            "goal",
            Stated(
                goal=Goal.of("the goal", source="cli:ada"),
                accept=accept,
                owner="ada",
                backend="sim",
                brain=brain,
                plan_now="2026-01-01T00:00:00+00:00",
                folder="/work",
            ),
        )
        self.run.contract = wanted
        self.run.survey = seen or survey()
        self.planned(chosen or proposed(wanted, self.run.survey))

    def _tell(self, kind: str, record: Record, at: float = NOW) -> None:
        self.run.apply(self.run.seq + 1, at, kind, record)

    def today(self, now: float = NOW) -> Today:
        return Today(run=self.run, policies=self.policies, now=now)

    def planned(self, chosen: Plan) -> Planned:
        """A version of the plan, with the approvals that it would ask, and the questions that follow from it."""
        planned = Planned(plan=chosen, approvals=(), feasibility=Feasibility(verdict="feasible"))
        self.run.plans.append(planned)
        asked, _ = preview(chosen, self.run, self.policies, purse=self.purse)
        update = {"approvals": asked, "policies_digest": self.policies.digest}
        self.run.plans[-1] = planned.model_copy(update=update)
        self.ask()
        return self.run.plans[-1]

    def ask(self, now: float = NOW) -> list[str]:
        """Close the questions that have ended, and ask those there are now; the names of all that are open."""
        for question in list(self.run.pending.values()):
            if (end := ended(question, self.today(now))) is not None:
                self._tell("answer", end, now)
        for question in questions(self.today(now)):
            self._tell("asked", question, now)
            if (answer := beforehand(question, self.run)) is not None:
                self._tell("answer", answer, now)
        return list(self.run.pending)

    def question(self, id_: str) -> Pending:
        return self.run.asked[id_]

    def answered(self, pending: str, *, approve: bool, who: str = "bob", at: float = NOW) -> None:
        self._tell("answer", yes_or_no(self.run.pending[pending], approve=approve, who=who, at=at), at)

    def agreed(self) -> Story:
        """Everybody who is asked says yes."""
        for question in list(self.run.pending.values()):
            who = next((name for name in question.who if name != "*"), "ada")
            self.answered(question.id, approve=True, who=who)
        return self

    def begun(self, id_: str, *, attempt: int = 1, now: float = NOW) -> str:
        """The step is judged and, when it may be, its intent is journalled; the ruling."""
        found = self.run.plan.step(id_)
        assert found is not None, id_
        verdict, approved = self.judged(found, attempt=attempt, now=now)
        self._tell("verdict", verdict, now)
        if approved is not None:
            self._tell("intent", Intent(call=verdict.call.id, digest=verdict.call.digest), now)
        elif verdict.ruling == "held":
            for question in call_questions(verdict, found, self.today(now)):
                self._tell("asked", question, now)
        return verdict.ruling

    def judged(self, found: Step, *, attempt: int = 1, now: float | None = None) -> tuple[Verdict, Approved | None]:
        return review(found, self.run, self.policies, purse=self.purse, attempt=attempt, now=now)

    def ended(self, id_: str, result: Json | None = None, *, attempt: int = 1, **more: object) -> None:
        """The step was performed and came to this."""
        self.begun(id_, attempt=attempt)
        fields: dict[str, object] = {"call": f"r/{id_}/{attempt}", "phase": "done", "result": result or {}}
        self._tell("outcome", Ended.model_validate(fields | more))

    def failed(self, id_: str, cause: str, *, attempt: int = 1) -> None:
        self.ended(id_, attempt=attempt, phase="failed", result=None, cause=cause, message=f"it failed: {cause}")

    def tell(self, kind: str, record: Record, at: float = NOW) -> None:
        self._tell(kind, record, at)

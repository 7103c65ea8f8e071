"""From what a model answered to reads and plans: names put back, arguments, needs, costs and limits computed.

The steps are made by the embedded planner's own builders: a model chooses which, on what, and how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent import rollout
from agent.brain.llm.proposing import steps as wire
from agent.brain.llm.proposing.names import Kind, Names
from agent.brain.protocol import ReadCall, Terms
from agent.brain.rules.planning import existing, mending, running
from agent.brain.rules.planning.draft import Draft
from agent.contract import Contract, Part
from agent.plan import Plan, Step, ref
from agent.survey import Survey
from tools.record import Json
from tools.tool import Effect


class Expansion:
    """One answer on its way to a plan. `faults` lists everything that keeps it from being one, for its author."""

    def __init__(
        self,
        contract: Contract,
        survey: Survey,
        terms: Terms,
        names: Names,
        *,
        usual: Callable[[], Plan],
        before: Plan | None = None,
        results: Mapping[str, Json] | None = None,
    ) -> None:
        """`usual`: the embedded planner's plan. `before`: the version that this one goes on from."""
        self._contract, self._survey, self._terms, self._names = contract, survey, terms, names
        self._usual, self._before, self._results = usual, before, results or {}
        self._steps: list[Step] = []
        self._ids: list[str] = []
        """Of each step of the answer, the id of the step that its result is."""
        self._last: dict[str, tuple[str, str, str] | None] = {}
        """Endpoint → (step, version, model) of the last change of what it serves; None where it was watched with it."""
        self.faults: list[str] = []

    def reads(self, asked: wire.Answered) -> tuple[ReadCall, ...]:
        return tuple(self._read(one, f"reads.{n}") for n, one in enumerate(asked.reads))

    def plan(self, asked: wire.Answered) -> Plan:
        """What was started stays; the answer's steps come after it, one after the other."""
        self._steps = list(self._before.steps) if self._before is not None else []
        if not asked.steps:
            self.faults.append("steps: there are none")
        for number, one in enumerate(asked.steps, start=1):
            begun = len(self._steps)
            self._ids.append(self._made(one, number))
            self._chain(begun)
        for endpoint in self._last if self._before is not None else ():
            self._look_again(endpoint, len(asked.steps) + 1)
        version = 1 if self._before is None else self._before.version + 1
        return Plan(version=version, steps=tuple(self._steps))

    def _chain(self, begun: int) -> None:
        """Every step of an answer waits for the one before it; what a price is depends on none of them."""
        after = self._ids[-2] if len(self._ids) > 1 else ""
        new = {s.id for s in self._steps[begun:]}
        for index in range(begun, len(self._steps)):
            step = self._steps[index]
            if after and step.tool != "quote_cost" and not new & set(step.needs):
                self._steps[index] = step.model_copy(update={"needs": (*step.needs, after)})

    def _made(self, one: Any, number: int) -> str:
        """The steps of one step of the answer; the id of that whose result is its result, empty where it has none."""
        place = f"steps.{number - 1}"
        match one:
            case wire.UsualPlan():
                return self._as_usual(place)
            case wire.QuoteCost():
                draft = self._draft(self._contract.parts[0], number)
                return draft.add("quote", "quote_cost", self._quote(one, place))
            case wire.InspectEndpoint() | wire.ReadTraffic() | wire.FindModel():
                call, draft = self._read(one, place), self._draft(self._part(one.endpoint, place), number)
                if not isinstance(one, wire.ReadTraffic):
                    return draft.add(one.tool.partition("_")[0], call.tool, call.args)
                since = (
                    {"seconds": min(one.seconds, self._since(draft.endpoint))} if draft.endpoint in self._last else {}
                )
                return draft.add("read", call.tool, call.args | since, needs=(running.inspect(draft),))
            case wire.ScaleEndpoint():
                return self._scaled(self._draft(self._part(one.endpoint, place), number), one.replicas)
            case wire.RollbackEndpoint():
                return self._back(self._draft(self._part(one.endpoint, place), number), one, number)
            case _:
                return self._watched(self._draft(self._part(one.endpoint, place), number), place)

    def _look_again(self, endpoint: str, number: int) -> None:
        """What a remedy came to is measured, whether its author thought of that or not."""
        changed = max(n for n, s in enumerate(self._steps) if s.effect is not Effect.READS)
        looks = (s for s in self._steps[changed:] if s.tool == "read_traffic")
        if any(s.args.get("endpoint") == endpoint for s in looks):
            return
        part = next(p for p in self._contract.parts if p.endpoint == endpoint)
        draft = self._draft(part, number)
        seen = draft.add("inspect", "inspect_endpoint", {"endpoint": endpoint}, needs=(self._steps[-1].id,))
        draft.add("read", "read_traffic", {"endpoint": endpoint, "seconds": self._since(endpoint)}, needs=(seen,))

    def _since(self, endpoint: str) -> float:
        """How far back it is measured after a change of this answer: what was before it is not asked about."""
        sent = (s.args for s in self._steps if s.tool == "monitor_endpoint" and s.args.get("endpoint") == endpoint)
        return max((float(a["seconds"]) for a in sent), default=mending.AT_ONCE_S)

    def _as_usual(self, place: str) -> str:
        if self._ids:
            self.faults.append(f"{place}: usual_plan is the first step or none")
            return ""
        plan = self._usual()
        self._steps = list(plan.steps)
        return plan.steps[-1].id if plan.steps else ""

    def _draft(self, part: Part, number: int) -> Draft:
        prefix = f"s{number}-" if self._before is None else f"v{self._before.version + 1}-s{number}-"
        return Draft(
            contract=self._contract,
            survey=self._survey,
            terms=self._terms,
            part=part,
            prefix=prefix,
            results=self._results,
            steps=self._steps,
        )

    def _part(self, endpoint: str, place: str) -> Part:
        """The part that is about that endpoint."""
        name = self._name("endpoint", endpoint, place)
        for part in self._contract.parts:
            if part.endpoint == name:
                return part
        self.faults.append(f"{place}.endpoint: the goal is not about {endpoint[:80]}")
        return self._contract.parts[0]

    def _name(self, kind: Kind, shown: str, place: str) -> str:
        real = self._names.real(kind, shown)
        if real is None:
            self.faults.append(f"{place}.{kind}: {shown[:80]!r} is no {kind} of the facts")
        return real or ""

    def _read(self, one: Any, place: str) -> ReadCall:
        match one:
            case wire.InspectEndpoint():
                args: Json = {"endpoint": self._name("endpoint", one.endpoint, place)}
            case wire.ReadTraffic():
                args = {"endpoint": self._name("endpoint", one.endpoint, place), "seconds": one.seconds}
            case wire.FindModel():
                args = {"name": self._name("endpoint", one.endpoint, place)}
                given = {"version": one.version, "before": one.before}
                args |= {k: self._name("version", v, place) for k, v in given.items() if v is not None}
            case wire.QuoteCost():
                args = self._quote(one, place)
            case _:
                args = {}
        return ReadCall(tool=one.tool, args=args)

    def _quote(self, one: wire.QuoteCost, place: str) -> Json:
        """The goal's own machines and time, on what was chosen."""
        draft = replace(self._draft(self._contract.parts[0], 0), steps=[])
        existing.quote(draft)
        chosen = {
            "instance_types": [self._name("offer", o, place) for o in one.offers],
            "regions": [self._name("region", r, place) for r in one.regions],
        }
        return draft.steps[0].args | {key: names for key, names in chosen.items() if names}

    def _scaled(self, d: Draft, replicas: int) -> str:
        seen, now = running.inspect(d), rollout.incumbent(self._survey.endpoints.get(d.endpoint))
        done = running.resize(d, replicas, seen)
        self._last[d.endpoint] = (done, now.name if now is not None else "", now.model if now is not None else "")
        return done

    def _back(self, d: Draft, one: wire.RollbackEndpoint, number: int) -> str:
        place, there = f"steps.{number - 1}", self._survey.endpoints.get(d.endpoint)
        if isinstance(one.to, wire.Result):
            return self._back_to_result(d, one.to, number)
        version = self._name("version", one.to, place)
        known = there.version(version) if there is not None else None
        if known is not None:
            back, model = running.go_back(d, version, running.inspect(d))
            self._last[d.endpoint] = (back, version, model)
            return back
        named = f"{d.endpoint}:{version}"
        running.roll_back(replace(d, part=d.part.model_copy(update={"task": "rollback", "source_models": (named,)})))
        self._last[d.endpoint] = None
        return d.steps[-1].id

    def _back_to_result(self, d: Draft, to: wire.Result, number: int) -> str:
        if not 1 <= to.from_ < number or not self._ids[to.from_ - 1]:
            self.faults.append(f"steps.{number - 1}.to: there is no result {to.from_} before it")
            return ""
        back, _ = running.go_back(d, "", running.inspect(d))
        step = d.steps[-1]
        d.steps[-1] = step.model_copy(update={"args": step.args | {"to": ref(self._ids[to.from_ - 1], to.field)}})
        self._last[d.endpoint] = (back, "", "")
        return back

    def _watched(self, d: Draft, place: str) -> str:
        now = rollout.incumbent(self._survey.endpoints.get(d.endpoint))
        last = self._last.get(d.endpoint, ("", now.name if now else "", now.model if now else ""))
        seen = running.inspect(d)
        if last is None:
            return seen  # it was deployed again, and watched on its way to the traffic
        changed, version, model = last
        if not mending.registered(model):
            self.faults.append(f"{place}: no requests are registered for what {d.endpoint[:80]} serves; leave it out")
            return seen
        since = ref(changed, "at") if changed else None
        running.watch_version(d, changed or seen, model, version, since=since, seen=seen)
        return d.steps[-1].id

"""What a run keeps at hand, so that a round costs the same after a thousand steps, is what its journal says."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable

import pytest
from given import NOW, plan, step

from agent.calls import CallState
from agent.documents import Feasibility
from agent.judged.arguments import reachable
from agent.plan import Plan, Step
from agent.state import Decided, Ended, Grant, Intent, Planned, Run, Settled, Verdict
from tools.collected import uncollected
from tools.record import Record
from tools.tool import Call

TOOLS = ("prepare_data", "tune_model", "deploy_model", "monitor_endpoint")
NOT_BEGUN = ("held", "refused")


class Told:
    """A run that anything may happen to that a journal can say."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.run = Run(id="r")
        self.planned()

    def tell(self, kind: str, record: Record) -> None:
        self.run.apply(self.run.seq + 1, NOW, kind, record)

    def planned(self) -> None:
        """A plan that keeps what has begun, with some steps more."""
        old = self.run.plan.steps if self.run.plans else ()
        kept = [s for s in old if s.id in self.run.by_step or self.draw.random() < 0.5]
        names = [s.id for s in kept]
        for number in range(4):
            name = f"s{len(self.run.plans)}-{number}"
            needs = tuple(self.draw.sample(names, min(len(names), self.draw.randrange(3))))
            kept.append(step(name, self.draw.choice(TOOLS), part=self.draw.choice(("a", "b")), needs=needs))
            names.append(name)
        made = plan(*kept, version=len(self.run.plans) + 1)
        self.tell("plan", Planned(plan=made, approvals=(), feasibility=Feasibility(verdict="feasible")))

    def judged(self) -> None:
        for found in self.run.ready()[:2]:
            self.verdict(found)

    def judged_anew(self) -> None:
        """A held call whose questions were answered is judged under the same id."""
        for id_, call in list(self.run.by_step.items()):
            found = self.run.plan.step(id_)
            if self.run.calls[call].phase == "held" and found is not None:
                self.run.anew(id_)
                self.verdict(found)

    def verdict(self, found: Step) -> None:
        ruling = self.draw.choice(("approved", "approved", "held", "refused"))
        attempt = 1 + self.run.attempts(found.id)
        call = Call.of(run="r", step=found.id, attempt=attempt, tool=found.tool, args={}, limit_s=1.0, owner="ada")
        grant = Grant(policy="p", pending="q", who="ada", at=NOW, digest=call.digest)
        grants = (grant,) if ruling == "approved" and self.draw.random() < 0.5 else ()
        self.tell(
            "verdict",
            Verdict(call=call, ruling=ruling, policies=(), reasons=(), facts={}, reserve_micro=3, grants=grants),
        )
        if ruling == "approved" and self.draw.random() < 0.9:
            self.tell("intent", Intent(call=call.id, digest=call.digest))

    def ended(self) -> None:
        for state in self.run.live_calls():
            phase = self.draw.choice(("running", "done", "done", "failed"))
            self.tell(
                "outcome",
                Ended(call=state.call.id, phase=phase, result={}, holds=phase == "done" and self.draw.random() < 0.3),
            )

    def settled(self) -> None:
        for state in self.run.calls.holding[:1]:
            self.tell("settled", Settled(call=state.call.id, usd_micro=1))

    def tried_again(self) -> None:
        for found in self.run.in_trouble()[:1]:
            self.tell("decision", Decided(action="revise", part=found.part, change=f"retry:{found.id}", why="again"))

    def happens(self) -> None:
        some: tuple[Callable[[], None], ...] = (self.judged, self.ended, self.settled, self.tried_again, self.planned)
        self.draw.choices((*some, self.judged_anew), weights=(6, 6, 1, 2, 1, 1))[0]()


@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_is_what_looking_at_everything_finds(seed: int) -> None:
    told = Told(seed)
    for _ in range(60):
        told.happens()
        _as_looked_up(told.run)


def _as_looked_up(run: Run) -> None:
    calls = list(run.calls.values())
    assert run.live_calls() == [c for c in calls if c.live]
    assert run.calls.holding == [c for c in calls if c.holds]
    assert run.calls.granted == [c for c in calls if c.verdict.grants and c.verdict.ruling == "approved"]
    for tools in (TOOLS[:1], TOOLS[1:3], TOOLS):
        assert run.calls.by(*tools) == [c for c in calls if c.call.tool in tools]
    steps = run.plan.steps
    assert run.ready() == [s for s in steps if s.id not in run.by_step and all(run.done(n) for n in s.needs)]
    assert run.in_trouble() == [s for s in steps if _phase(run.of_step(s.id)) in ("refused", "failed")]
    assert run.in_trouble("a") == [s for s in run.in_trouble() if s.part == "a"]
    for one in steps:
        begun = [c for c in calls if c.call.step == one.id and c.phase not in NOT_BEGUN]
        assert run.attempts(one.id) == len(begun)
        assert run.plan.step(one.id) is one
    for part in ("a", "b"):
        assert run.plan.of_part(part) == [s for s in steps if s.part == part]
        assert run.plan.of_part(part, *TOOLS[1:3]) == [s for s in steps if s.part == part and s.tool in TOOLS[1:3]]


def _phase(state: CallState | None) -> str:
    return state.phase if state is not None else ""


def test_a_copy_of_a_plan_knows_its_own_steps_and_no_others() -> None:
    first = plan(step("a"), step("b"))
    assert first.step("b") is not None
    second = first.model_copy(update={"steps": (step("c", part="other"),)})
    assert (second.step("b"), [s.id for s in second.of_part("other")]) == (None, ["c"])
    assert first == plan(step("a"), step("b"))
    assert Plan.model_validate_json(first.model_dump_json()) == first


def test_the_results_that_a_step_may_refer_to_are_those_of_its_needs_and_theirs() -> None:
    draw = random.Random(5)
    steps: list[Step] = []
    for number in range(40):
        needs = tuple(s.id for s in draw.sample(steps, min(len(steps), draw.randrange(3))))
        steps.append(step(f"s{number}", needs=(*needs, "gone") if number == 7 else needs))
    whole = plan(*steps)
    for one in steps:
        behind = _behind(whole, one)
        for names in ({"s0", "s1", "nowhere"}, {s.id for s in steps}):
            assert reachable(whole, one, names) == behind & names


def _behind(whole: Plan, one: Step) -> set[str]:
    found: set[str] = set()
    for need in one.needs:
        before = whole.step(need)
        found |= {need} | (_behind(whole, before) if before is not None else set())
    return found


def test_garbage_is_looked_for_again_after_what_stays_was_read() -> None:
    with uncollected(), uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="broken"), uncollected():
        raise ValueError("broken")
    assert gc.isenabled()

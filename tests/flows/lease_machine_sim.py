"""Leases in a simulated world as a state machine: what runs make, lose sight of, hand over, and what sweeps end."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from tools import sweep
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.faults import FaultKind, Operation
from tools.backends.sim.world import load_world
from tools.errors import Conflict, NotFound, Unknown
from tools.ports import JobSpec, Kind, Owned, Scope, ServeSpec, Tags
from tools.sweep import Whose

PERIOD_S = 60.0
"""How often somebody sweeps while time passes."""
OWNERS, RUNS = ("me", "you"), ("r1", "r2", "r3")
LEASES = (0.0, 30.0, 600.0, 1e5)
CREATES: dict[Kind, Operation] = {
    "job": "jobs.submit",
    "endpoint": "serving.deploy",
    "machine": "compute.provision",
}
ENDS: dict[Kind, Operation] = {"job": "jobs.cancel", "endpoint": "serving.remove", "machine": "compute.release"}
LIES: tuple[FaultKind, ...] = ("lose_answer", "timeout_after", "answer_500_after", "answer_500", "timeout_before")


@dataclass
class Made:
    """What was asked for, and what is true of it: the run that asked may never have heard of it."""

    kind: Kind
    call: str
    run: str
    owner: str
    until: float
    id: str = ""
    """Empty while nobody has found it."""
    ended: bool = False
    stalled: bool = False


class LeaseMachine(RuleBasedStateMachine):
    """Law 4 through the ports."""

    calls: Bundle[Made] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.world = SimBackend(load_world("steady"), seed=11, clock=VirtualClock())
        self.world.store("m", {"model.json": b"{}"})
        self.offer = next(each.id for each in self.world.compute.offers() if not each.standing)
        self.all: list[Made] = []
        self.swept = self.now
        self.may_end: set[str] = set()
        """Call ids of what somebody with the right to it has asked to end."""

    @rule(
        target=calls,
        kind=st.sampled_from(sorted(CREATES)),
        run=st.sampled_from(RUNS),
        owner=st.sampled_from(OWNERS),
        lease_s=st.sampled_from(LEASES),
        lie=st.sampled_from([None, None, None, *LIES]),
        stalls=st.booleans(),
    )
    def create(self, kind: Kind, run: str, owner: str, lease_s: float, lie: FaultKind | None, stalls: bool) -> Made:
        made = Made(kind, f"{run}/{kind}-{len(self.all)}/1", run, owner, self.now + lease_s)
        self.all.append(made)
        if lie is not None:
            self.world.faults.arm(operation=CREATES[kind], fault=lie)
        self._ask_for(made)
        if stalls:
            self._stall(made)
        self._sweep_if_due()
        return made

    @rule(one=calls)
    def the_agent_comes_back_and_asks_again(self, one: Made) -> None:
        """After a crash it asks for the same call: what is there is adopted, and never made twice."""
        if not one.ended and one.until > self.now:
            self._ask_for(one)
            self._sweep_if_due()

    @rule(one=calls, run=st.sampled_from(RUNS), owner=st.sampled_from(OWNERS), lease_s=st.sampled_from(LEASES))
    def extend_or_hand_over(self, one: Made, run: str, owner: str, lease_s: float) -> None:
        if one.kind != "endpoint":
            return
        self._note()
        try:
            self.world.serving.extend(_name(one), run=run, owner=owner, lease_until=self.now + lease_s)
        except NotFound:
            assert one.ended or one.id == ""
            return
        one.run, one.owner, one.until = run, owner, self.now + lease_s

    @rule(one=calls, lie=st.sampled_from([None, "lose_answer", "answer_500"]), times=st.integers(1, 2))
    def release(self, one: Made, lie: FaultKind | None, times: int) -> None:
        if one.id == "":
            return
        self.may_end.add(one.call)
        if lie is not None:
            self.world.faults.arm(operation=ENDS[one.kind], fault=lie)
        for _ in range(times):
            self._end(one)
        self._end(one)
        self.world.faults.disarm()
        one.ended = True

    @rule(one=calls)
    def its_own_watchdog_dies(self, one: Made) -> None:
        self._stall(one)

    def _stall(self, one: Made) -> None:
        self._note()
        if one.id and not one.ended:
            self.world.stall(one.id)
            one.stalled = True

    @rule(seconds=st.sampled_from([29.0, 31.0, 60.0, 700.0]), lie=st.sampled_from([None, "lose_answer", "throttle"]))
    def time_passes(self, seconds: float, lie: FaultKind | None) -> None:
        """Somebody sweeps every minute."""
        end = self.now + seconds
        while self.now < end:
            self._sweep_if_due(lie)
            self.world.advance(min(end, self.swept + PERIOD_S) - self.now)
        self._sweep_if_due(lie)

    @rule(
        run=st.sampled_from([None, *RUNS]),
        owner=st.sampled_from([None, *OWNERS]),
        release=st.booleans(),
        lie=st.sampled_from([None, "lose_answer", "throttle"]),
    )
    def sweep(self, run: str | None, owner: str | None, release: bool, lie: FaultKind | None) -> None:
        whose = Whose(run=run, owner=owner)
        if not release:
            before = len(self.world.effects)
            sweep.sweep(self.world, now=self.now, whose=whose)
            assert len(self.world.effects) == before, "looking changes nothing"
            return
        self._sweep(whose, lie)

    @invariant()
    def nothing_lives_past_its_lease_but_what_is_listed_as_unowned(self) -> None:
        self._note()
        found = sweep.sweep(self.world, now=self.now)
        for each in found:
            late = self.now - each.owned.lease_until
            assert each.unowned == (late >= 0)
            if late >= 0:
                assert self._of(each.owned).stalled, "what works ends itself in time"
                assert late < PERIOD_S

    @invariant()
    def what_is_there_is_what_was_made_once_and_not_ended(self) -> None:
        self._note()
        listed = [(o.kind, o.call) for o in self._owned(Scope())]
        assert len(listed) == len(set(listed)), "no call is there twice"
        alive = {(m.kind, m.call) for m in self.all if m.id and not m.ended}
        assert set(listed) == alive, "made, and neither ended nor forgotten"
        for run in RUNS:
            assert {o.call for o in self._owned(Scope(run=run))} == {
                m.call for m in self.all if m.id and not m.ended and m.run == run
            }

    @invariant()
    def nobody_ended_what_was_not_theirs_to_end(self) -> None:
        ended = {e.token for e in self.world.effects if e.by == "call" and e.kind in ENDS.values()}
        assert ended <= self.may_end

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def _owned(self, scope: Scope) -> list[Owned]:
        ports = (self.world.jobs, self.world.serving, self.world.compute)
        return [owned for port in ports for owned in port.owned(scope)]

    def _of(self, owned: Owned) -> Made:
        return next(m for m in self.all if (m.kind, m.call) == (owned.kind, owned.call))

    def _note(self) -> None:
        """Whatever was made unheard of shows; what has lapsed and works has ended."""
        for owned in self._owned(Scope()):
            self._of(owned).id = owned.id
        for one in self.all:
            one.ended = one.ended or (one.id != "" and not one.stalled and one.until <= self.now)

    def _ask_for(self, one: Made) -> None:
        tags = Tags(run=one.run, call=one.call, owner=one.owner, lease_until=one.until)
        try:
            match one.kind:
                case "job":
                    spec = JobSpec(program="command", argv=("x",), args={"sim": {"seconds": 1e9}}, time_limit_s=1e8)
                    self.world.jobs.submit(spec=spec, tags=tags)
                case "endpoint":
                    self.world.serving.deploy(spec=ServeSpec(endpoint=_name(one), version="v1", model="m"), tags=tags)
                case _:
                    self.world.compute.provision(offer=self.offer, tags=tags)
        except Conflict:
            assert one.call in {owned.call for owned in self._owned(Scope())}
        except Unknown:
            pass
        finally:
            self.world.faults.disarm()
        if one.until <= self.now:  # it lapsed at once, before anybody could list it
            one.id, one.ended = one.id or "?", True

    def _end(self, one: Made) -> None:
        ends = {"job": self.world.jobs.cancel, "endpoint": self.world.serving.remove}
        try:
            ends.get(one.kind, self.world.compute.release)(one.id)
        except Unknown:
            return

    def _sweep_if_due(self, lie: FaultKind | None = None) -> None:
        if self.now >= self.swept + PERIOD_S:
            self._sweep(Whose(), lie)
            self.swept = self.now

    def _sweep(self, whose: Whose, lie: FaultKind | None) -> None:
        self._note()
        due = {
            m.call
            for m in self.all
            if m.id
            and not m.ended
            and m.until <= self.now
            and whose.run in (None, m.run)
            and whose.owner in (None, m.owner)
        }
        self.may_end |= due
        if lie is not None:
            for operation in ENDS.values():
                self.world.faults.arm(operation=operation, fault=lie)
        found = sweep.sweep(self.world, now=self.now, release=True, whose=whose)
        self.world.faults.disarm()
        assert {each.owned.call for each in found if each.released} == due
        for one in self.all:
            one.ended = one.ended or one.call in due
        again = sweep.sweep(self.world, now=self.now, release=True, whose=whose)
        assert not [each for each in again if each.unowned], "what was released is not there to be released again"


def _name(one: Made) -> str:
    return one.call.replace("/", "-")

"""Approvals under everything that may happen to them, and what must hold all the same, read from the journal alone."""

from __future__ import annotations

from collections.abc import Iterator

from given import NOW, TABLE, contract, part, step, survey
from holding import Holding
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from owner_desk import Desk

from agent.documents import Kind, Pending
from agent.goal import Goal
from agent.lines import Answer, Grant, Ignored, Verdict
from agent.plan import Plan, Step
from agent.record.chained import Line
from agent.state import Stated, Understood

HELD = {
    "deploy_model": ("production",),
    "shift_traffic": ("production", "watchful"),
    "extend_lease": ("watchful",),
    "release_resource": ("destroy_foreign",),
    "prepare_data": ("careful",),
}
"""`production` is bob's and never the requester's; `watchful` and `careful` are anybody's; `destroy_foreign` anybody's
but hers."""
PEOPLE = ("ada", "bob", "eve")
LATE = {"find_model": ("watchful",), "prepare_data": ("watchful",), "extend_lease": ("production",)}
"""What holds a call only once it is made: no plan foresees it."""
EDITIONS = (
    Holding(HELD),
    Holding(HELD, late=LATE),
    Holding(HELD, late=LATE, edition=1),
    Holding(HELD, late=LATE, roles={"release": ("bob", "eve")}),
    Holding(HELD, roles={"release": ("ada",)}),
    Holding(HELD, late=LATE, roles={"release": ("*",)}),
)
"""Policy sets that may follow one another: they differ in what they hold, in who holds a role, or in nothing seen."""
BY_DIGEST = {edition.digest: edition for edition in EDITIONS}
ARGS = {
    "deploy_model": {"endpoint": "tumours", "version": "v1", "model": "m", "lease_s": 600.0},
    "shift_traffic": {"endpoint": "tumours", "version": "v1", "percent": 10},
    "extend_lease": {"endpoint": "tumours", "owner": "ada", "for_s": 3600.0},
    "release_resource": {"kind": "endpoint", "id": "tills"},
    "find_model": {"name": "tumours"},
    "prepare_data": {"tables": [TABLE], "task": "classification", "label": "target"},
}
OTHER = {
    "deploy_model": {"model": "other"},
    "shift_traffic": {"percent": 50},
    "extend_lease": {"for_s": 7200.0},
    "release_resource": {"id": "shop"},
}
DAY = 86_400.0
NOTED = "the clock"
"""Stands in a line that is written only so that something is written."""


def made(id_: str, tool: str, *, other: bool, needs: tuple[str, ...] = (), limit_s: float = 60.0) -> Step:
    args = ARGS[tool] | (OTHER.get(tool, {}) if other else {})
    return step(id_, tool, args, needs=needs, limit_s=limit_s)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Step, ...]:
    """A few steps, side by side or one after another, some of them alike."""
    tools = draw(st.lists(st.sampled_from(sorted(ARGS)), min_size=1, max_size=5))
    steps: list[Step] = []
    for number, tool in enumerate(tools):
        needs = (steps[-1].id,) if steps and draw(st.booleans()) else ()
        dear = draw(st.sampled_from((30.0, 40.0)))
        steps.append(made(f"s{number}", tool, other=draw(st.booleans()), needs=needs, limit_s=dear))
    return tuple(steps)


class ApprovalsMachine(RuleBasedStateMachine):
    """One run with its owner, and everybody who may answer, deny, plant, revise, wait or pull the plug."""

    @initialize(steps=plans(), accept=st.booleans(), edition=st.sampled_from(EDITIONS))
    def begin(self, steps: tuple[Step, ...], accept: bool, edition: Holding) -> None:
        self.desk = Desk(edition, at=NOW)
        self.accept = accept
        self.denials: dict[str, set[int]] = {}
        """Question → places in the inbox of denials by somebody who may, while it was open."""
        self.forged: set[int] = set()
        """Marks of messages to something else than what was asked."""
        stated = Stated(
            goal=Goal.of("the goal", source="cli:ada"),
            accept=accept,
            owner="ada",
            backend="sim",
            brain="rules",
            plan_now="2026-01-01T00:00:00+00:00",
            folder="/work",
        )
        for record in (
            stated,
            Understood(contract=contract(part(), environment="production")),
            survey(usd_per_hour=3600.0),
        ):
            self.desk.add(record)
        self.desk.commit()
        self.desk.planned(Plan(version=1, steps=steps))

    @rule()
    def drive(self) -> None:
        if self.desk.over:
            return
        before = len(self.desk.lines)
        self.desk.drive()
        for line in self.desk.lines[before:]:
            if line.kind == "answer" and line.body["approve"]:
                assert line.body["policies_digest"] == self.desk.policies.digest, "a yes to a question of old"
        now = max(self.desk.clock.at, self.desk.run.last)
        assert self.desk.over or all(q.expires > now for q in self.desk.run.pending.values()), "a question that lapsed"

    @rule(names=st.booleans(), who=st.sampled_from(PEOPLE), pick=st.integers(0, 3))
    def approve(self, names: bool, who: str, pick: int) -> None:
        self.desk.answer(self._names(names, pick), who=who, approve=True)

    @rule(but=st.sampled_from((0, 1, 9, 9, 9)))
    def agree(self, but: int) -> None:
        """Everybody who is asked says yes, perhaps to all but one; somebody looks."""
        for number, question in enumerate(list(self.desk.run.pending.values())):
            if number != but:
                for who in PEOPLE:
                    self.desk.answer([question.id], who=who, approve=True)
        self.drive()

    @precondition(lambda self: len(self.desk.inbox) % 3 == 2)
    @rule(names=st.booleans(), who=st.sampled_from(PEOPLE), pick=st.integers(0, 3))
    def deny(self, names: bool, who: str, pick: int) -> None:
        self._denied(self.desk.answer(self._names(names, pick), who=who, approve=False))

    @precondition(lambda self: len(self.desk.inbox) % 5 == 3)
    @rule(first=st.booleans(), who=st.sampled_from(PEOPLE))
    def race(self, first: bool, who: str) -> None:
        """A yes and a no arrive before anybody looks."""
        for approve in (first, not first):
            answered = self.desk.answer([], who="bob" if approve else who, approve=approve)
            if not approve:
                self._denied(answered)

    @rule(
        who=st.sampled_from((*PEOPLE, *PEOPLE, "", "*")),
        right=st.sampled_from((True, True, False)),
        pick=st.integers(0, 3),
        early=st.sampled_from((0.0, 0.0, 0.0, 1.0, 2 * DAY)),
    )
    def plant(self, who: str, right: bool, pick: int, early: float) -> None:
        """A row in the inbox that no door put there."""
        open_ = list(self.desk.run.pending.values())
        question = open_[pick % len(open_)] if open_ else None
        digest = question.digest if question is not None and right else "0" * 64
        mark = 1000 + len(self.desk.inbox)
        if not right:
            self.forged.add(mark)
        id_ = question.id if question is not None else "plan-9"
        body = {"pending": id_, "who": who, "digest": digest, "uid": mark}
        self.desk.post("approve", body, at=max(self.desk.clock.now(), self.desk.run.last) - early)

    @rule(ahead=st.sampled_from((60.0, 0.5 * DAY, DAY, 2 * DAY, -60.0, -3 * DAY)), noted=st.booleans())
    def time(self, ahead: float, noted: bool) -> None:
        """The clock jumps; perhaps something is written down before anybody looks again."""
        self.desk.clock.at += ahead
        if noted and not self.desk.over:
            self.desk.reopen()
            self.desk.add(Ignored(pending="plan-9", approve=True, who=NOTED, why="nothing of that name is asked"))
            self.desk.commit()

    @rule(edition=st.sampled_from(EDITIONS))
    def reopen(self, edition: Holding) -> None:
        """Another process goes on, perhaps under other policies."""
        self.desk.reopen(edition)

    @rule(when=st.sampled_from(("before", "after")))
    def die(self, when: str) -> None:
        self.desk.hands.dies = when

    @rule(pick=st.integers(0, 4))
    def fail(self, pick: int) -> None:
        self.desk.hands.fails.add(f"s{pick}")

    @precondition(lambda self: not self.desk.over)
    @rule(more=plans())
    def revise(self, more: tuple[Step, ...]) -> None:
        """What has begun stays; the rest is something else, perhaps the same with other arguments."""
        run = self.desk.run
        kept = [s for s in run.plan.steps if s.id in run.by_step]
        ids = {s.id for s in kept}
        new = [s.model_copy(update={"needs": tuple(n for n in s.needs if n in ids)}) for s in more if s.id not in ids]
        later = f"-v{run.plan.version}"
        new = [s.model_copy(update={"id": s.id if i % 2 else s.id + later}) for i, s in enumerate(new)]
        self.desk.planned(Plan(version=run.plan.version + 1, steps=(*kept, *new)))

    @precondition(lambda self: not self.desk.over)
    @rule()
    def dearer(self) -> None:
        """The same again, only that what has not begun may take longer."""
        run = self.desk.run
        steps = (s if s.id in run.by_step else s.model_copy(update={"limit_s": 40.0}) for s in run.plan.steps)
        self.desk.planned(Plan(version=run.plan.version + 1, steps=tuple(steps)))

    def _names(self, named: bool, pick: int) -> list[str]:
        open_ = list(self.desk.run.pending)
        return [open_[pick % len(open_)]] if named and open_ else []

    def _denied(self, questions: list[Pending]) -> None:
        for question in questions:
            self.denials.setdefault(question.id, set()).add(len(self.desk.inbox))

    # What must hold.

    @invariant()
    def every_effect_was_approved_for_exactly_that(self) -> None:
        for call in self.desk.hands.effects:
            assert self.desk.admits(call)

    @invariant()
    def no_call_has_two_effects(self) -> None:
        made_ = [c.id for c in self.desk.hands.effects]
        assert len(made_) == len(set(made_))
        steps = [c.step for c in self.desk.hands.effects]
        assert len(steps) == len(set(steps)), "a step that was done was done again"

    @invariant()
    def a_question_is_closed_once_and_not_asked_twice(self) -> None:
        for kind, name in (("asked", "id"), ("answer", "pending")):
            ids = [x.body[name] for x in self.desk.lines if x.kind == kind]
            assert len(ids) == len(set(ids))

    @invariant()
    def every_yes_was_somebodys_who_might_and_in_time(self) -> None:
        for line, answer, question in self._answers():
            if not answer.approve:
                continue
            assert answer.by in ("person", "flag")
            assert question.asked <= answer.at < question.expires
            assert answer.digest == question.digest
            assert answer.uid not in self.forged
            if answer.by == "flag":
                assert self.accept
                assert question.id == "plan-1"
                assert question.policies_digest == self._first()
            edition = BY_DIGEST[answer.policies_digest]
            assert edition.digest == question.policies_digest
            assert all(may(answer.who, policy, edition) for policy in question.policies), line

    @invariant()
    def of_a_yes_and_a_no_that_race_the_no_wins(self) -> None:
        for _, answer, _ in self._answers():
            assert not (answer.approve and self.denials.get(answer.pending))

    @invariant()
    def nothing_begins_after_a_no(self) -> None:
        said = False
        for line in self.desk.lines:
            if line.kind == "answer" and not line.body["approve"] and line.body["by"] in ("person", "time"):
                said = True
            assert not (said and line.kind == "intent"), f"line {line.seq}"

    @invariant()
    def nothing_begins_while_the_plan_is_asked_about(self) -> None:
        open_: set[str] = set()
        for line in self.desk.lines:
            if line.kind == "asked" and line.body["kind"] == "plan":
                open_.add(line.body["id"])
            elif line.kind == "answer":
                open_.discard(line.body["pending"])
            assert not (open_ and line.kind == "intent")

    @invariant()
    def every_message_is_taken_in_once(self) -> None:
        said = [x for x in self.desk.lines if x.kind == "answer" and x.body["by"] == "person"]
        ignored = [x for x in self.desk.lines if x.kind == "ignored" and x.body["who"] != NOTED]
        assert len(said) + len(ignored) <= len(self.desk.inbox)

    @invariant()
    def a_call_is_begun_once(self) -> None:
        begun = [x.body["call"] for x in self.desk.lines if x.kind == "intent"]
        assert len(begun) == len(set(begun))

    @invariant()
    def what_is_open_has_not_been_answered(self) -> None:
        closed = {x.body["pending"] for x in self.desk.lines if x.kind == "answer"}
        asked = {x.body["id"] for x in self.desk.lines if x.kind == "asked"}
        assert asked - closed == {id_ for id_ in self.desk.run.pending if id_ in asked}

    @invariant()
    def every_approved_call_is_covered_for_each_policy_that_held_it(self) -> None:
        for line in self.desk.lines:
            if line.kind != "verdict" or line.body["ruling"] != "approved":
                continue
            verdict = Verdict.model_validate(line.body)
            assert sorted(g.policy for g in verdict.grants) == sorted(verdict.policies)
            for grant in verdict.grants:
                self._covers(grant, verdict, line)
        self._within_bounds()

    def _covers(self, grant: Grant, verdict: Verdict, line: Line) -> None:
        edition = BY_DIGEST[verdict.policies_digest]
        ((at, answer, question),) = [
            (x.seq, a, q) for x, a, q in self._answers() if a.pending == grant.pending and a.approve
        ]
        assert at < line.seq
        assert question.policies_digest == answer.policies_digest == edition.digest
        assert may(answer.who, grant.policy, edition)
        assert grant.policy in question.policies
        assert question.bounds is not None
        assert line.at < question.bounds.until
        assert not question.bounds.public
        if question.kind == "call":
            assert question.digest == verdict.call.digest
            return
        kind = question.bounds.kinds[grant.kind]
        assert (kind.tool, kind.target) == (verdict.call.tool, verdict.facts.get("target"))
        assert grant.policy in kind.policies
        assert kind.args.items() <= verdict.call.args.items()

    def _within_bounds(self) -> None:
        """No kind of call was approved for more steps, or for more money, than were shown."""
        used: dict[tuple[str, int], dict[str, list[Verdict]]] = {}
        for line in self.desk.lines:
            if line.kind == "verdict" and line.body["ruling"] == "approved":
                verdict = Verdict.model_validate(line.body)
                for place in {(g.pending, g.kind) for g in verdict.grants}:
                    used.setdefault(place, {}).setdefault(verdict.call.step, []).append(verdict)
        for (pending, index), steps in used.items():
            kind = self._kind(pending, index)
            assert len(steps) <= kind.count
            assert kind.usd_micro is None or sum(v[-1].reserve_micro for v in steps.values()) <= kind.usd_micro

    def _first(self) -> str:
        """The policies that the plan was first judged by."""
        return str(next(x.body["policies_digest"] for x in self.desk.lines if x.kind == "plan"))

    def _kind(self, pending: str, index: int) -> Kind:
        (asked,) = [x for x in self.desk.lines if x.kind == "asked" and x.body["id"] == pending]
        bounds = Pending.model_validate(asked.body).bounds
        assert bounds is not None
        return bounds.kinds[index]

    def _answers(self) -> Iterator[tuple[Line, Answer, Pending]]:
        asked = {x.body["id"]: Pending.model_validate(x.body) for x in self.desk.lines if x.kind == "asked"}
        for line in self.desk.lines:
            if line.kind == "answer":
                answer = Answer.model_validate(line.body)
                yield line, answer, asked[answer.pending]


def may(who: str, policy: str, edition: Holding) -> bool:
    """Whether the limits let that person say yes, spelled out once more."""
    role, other = {"production": ("release", True), "destroy_foreign": ("operator", True)}.get(
        policy, ("operator", False)
    )
    holders = edition.limits.people.roles[role]
    return bool(who) and (who in holders or "*" in holders) and not (other and who == "ada")

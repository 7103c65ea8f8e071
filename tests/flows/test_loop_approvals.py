"""Questions and answers: who is asked, whose answer counts, once, in time, and for exactly what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peopled import ROLES, limits, policies
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, priced

from agent.documents import Answered, Pending
from agent.errors import InvalidRequest, NotTheirs
from agent.record.store import Store
from agent.session import Session
from policies.engine import Decision, Finding
from policies.limits import Limits
from policies.request import Request
from tools.record import Json

PRODUCTION = classify(ACCURACY, LATENCY, rollout="canary", environment="production")
CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
DEAR = 400.0
"""Dollars an hour, at which several calls are held for their price."""
WAITED = limits().approvals.expire_after_s
Waiting = Callable[..., tuple[Stage, Session, str]]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    """A run in production that waits for bob; priced, for ada as well."""
    opened: list[Session] = []

    def begin(*, usd_per_hour: float = 0.0, accept: bool = False) -> tuple[Stage, Session, str]:
        stage = Stage(tmp_path, PRODUCTION, world=priced(usd_per_hour=usd_per_hour))
        session, document = stage.run(accept=accept, limits=patient())
        opened.append(session)
        assert (document.run.status, document.run.exit_code) == ("waiting", 4)
        return stage, session, document.run.id

    yield begin
    for session in opened:
        session.close()


def patient(**roles: tuple[str, ...]) -> Limits:
    """Nobody minds what runs cost an hour."""
    shipped = limits()
    money = shipped.money.model_copy(update={"rate_usd_per_hour": "any"})
    people = shipped.people.model_copy(update={"roles": ROLES | roles})
    return shipped.model_copy(update={"money": money, "people": people})


def asked(session: Session, run: str) -> list[str]:
    return [p.id for p in session.view(run).pending]


def answers(session: Session, run: str) -> list[tuple[object, object, object]]:
    return [(e.body["pending"], e.body["who"], e.body["approve"]) for e in session.events(run) if e.kind == "answer"]


def approve(session: Session, run: str, *names: str, who: str = "bob") -> Answered:
    return session.answer(run, approve=True, pending=names, who=who)


def deny(session: Session, run: str, *names: str, who: str = "bob") -> Answered:
    return session.answer(run, approve=False, pending=names, who=who)


def plant(stage: Stage, run: str, body: Json, *, kind: str = "approve", at: float | None = None) -> None:
    """A row in the inbox that no door put there."""
    store = Store(stage.settings.home / "goalkeeper.db")
    when = stage.clock.now() if at is None else at
    store.post(run=run, kind=kind, body=body, at=when, dedupe=str(body) + kind)
    store.close()


def test_production_asks_before_anything_is_started_and_says_what_for(waiting: Waiting) -> None:
    stage, session, run = waiting()
    assert stage.calls() == []
    (pending,) = session.view(run).pending
    assert (pending.id, pending.policies, pending.who) == ("plan-1.release", ("production",), ("bob",))
    assert "deploy_model acts on tumours in production" in pending.reason
    assert pending.answer.endswith(f" approve {run} plan-1.release")
    document = session.show(run)
    assert document.questions == (pending,)
    assert document.run.reason.startswith("plan-1.release waits for bob with role release: `")
    assert [r.status for r in session.runs().runs] == ["waiting"]


def test_where_nobody_has_the_role_the_run_says_whom_to_name(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    for holders, needed in (((), "somebody other than ada"), (("ada",), "somebody other than ada")):
        session, document = stage.run(limits=patient(release=holders))
        assert document.run.exit_code == 4
        assert f"plan-1.release waits for {needed} with role release, and there is nobody" in document.run.reason
        assert "people.roles in limits.yaml" in document.run.reason
        assert f"resume {document.run.id}`" in document.run.reason
        with pytest.raises(NotTheirs, match="there is nobody"):
            approve(session, document.run.id, who="ada")
        session.close()


def test_once_somebody_is_named_the_run_asks_them_anew(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, document = stage.run(limits=patient(release=()))
    session.close()
    with stage.session(patient(release=("bob",))) as session:
        assert session.drive(document.run.id).run.status == "waiting"
        assert asked(session, document.run.id) == ["plan-1.release.2"]
        approve(session, document.run.id)
        assert session.drive(document.run.id).run.exit_code == 0


@pytest.mark.parametrize("price", [0.0, DEAR])
def test_what_the_plan_says_it_would_ask_is_what_the_run_asks(tmp_path: Path, price: float) -> None:
    stage = Stage(tmp_path, PRODUCTION, world=priced(usd_per_hour=price))
    with stage.session(patient()) as session:
        planned = session.plan(stage.request())
        run = session.start(stage.request())
        session.drive(run)
        open_ = session.view(run).pending
        assert list(map(told, open_)) == list(map(told, planned.questions))
        for question in open_:
            approve(session, run, question.id, who="ada" if question.id == "plan-1" else "bob")
        assert session.drive(run).run.exit_code == 0
        verdicts = [e.body for e in session.events(run) if e.kind == "verdict"]
    held = {str(v["call"]["step"]): set(v["policies"]) for v in verdicts if v["policies"]}  # type: ignore[index, arg-type, call-overload]
    assert held == {a.step: set(a.policies) for a in planned.approvals}
    assert {p for a in planned.approvals for p in a.policies} == {p for q in open_ for p in q.policies}


def told(question: Pending) -> tuple[object, ...]:
    bounds = question.bounds.model_dump(exclude={"until"}) if question.bounds is not None else None
    return question.id, question.step, question.policies, question.roles, question.who, question.usd, bounds


def test_the_requesters_own_yes_answers_what_is_theirs_and_leaves_the_rest(waiting: Waiting) -> None:
    stage, session, run = waiting(usd_per_hour=DEAR, accept=True)
    assert asked(session, run) == ["plan-1.release"]
    assert answers(session, run) == [("plan-1", "ada", True)]
    assert stage.calls() == []
    with pytest.raises(NotTheirs, match="waits for bob with role release"):
        approve(session, run, who="ada")
    assert asked(session, run) == ["plan-1.release"]


def test_the_requester_is_asked_for_what_is_theirs_and_told_of_the_rest(waiting: Waiting) -> None:
    _, session, run = waiting(usd_per_hour=DEAR)
    assert asked(session, run) == ["plan-1", "plan-1.release"]
    put: list[str] = []

    def ask(pending: Pending) -> bool:
        put.append(pending.id)
        return True

    document = session.drive(run, ask=ask)
    assert put == ["plan-1"]
    assert document.run.exit_code == 4
    assert asked(session, run) == ["plan-1.release"]


def test_several_questions_are_answered_together_or_one_by_one(waiting: Waiting) -> None:
    _, session, run = waiting(usd_per_hour=DEAR)
    said = approve(session, run, who="bob")  # operator is everybody, so both are bob's to answer
    assert said.questions == ("plan-1", "plan-1.release")
    assert session.drive(run).run.exit_code == 0


def test_only_what_is_theirs_is_answered_and_the_rest_is_named(waiting: Waiting) -> None:
    _, session, run = waiting(usd_per_hour=DEAR)
    said = approve(session, run, who="ada")
    assert said.questions == ("plan-1",)
    (left,) = said.left
    assert left.startswith("plan-1.release waits for bob")
    with pytest.raises(NotTheirs):
        approve(session, run, "plan-1.release", who="eve")
    approve(session, run, "plan-1.release", who="bob")
    assert session.drive(run).run.exit_code == 0
    assert answers(session, run) == [("plan-1", "ada", True), ("plan-1.release", "bob", True)]


def test_a_no_ends_the_run_before_anything_happens(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION, world=priced(usd_per_hour=DEAR))
    session, document = stage.run(ask=lambda _: False, limits=patient())
    assert (document.run.exit_code, document.run.reason) == (3, "ada did not approve the plan (plan-1)")
    assert stage.calls() == []
    assert asked(session, document.run.id) == []
    session.close()


def test_a_yes_beforehand_is_not_asked_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY, world=priced(usd_per_hour=DEAR))
    session, document = stage.run(accept=True, ask=lambda _: pytest.fail("it was asked"), limits=patient())
    assert document.run.exit_code == 0
    assert answers(session, document.run.id) == [("plan-1", "ada", True)]
    session.close()


def test_a_yes_beforehand_turns_no_refusal(tmp_path: Path) -> None:
    wanted = classify(ACCURACY, rollout="canary", environment="production", constraints=("no_production",))
    stage = Stage(tmp_path, wanted)
    assert stage.ended(accept=True).run.exit_code == 3
    assert stage.calls() == []


@pytest.mark.parametrize(("yes", "code"), [(True, 0), (False, 3)])
def test_an_answer_from_another_session_is_carried_out_by_whoever_drives_next(
    waiting: Waiting, yes: bool, code: int
) -> None:
    stage, session, run = waiting()
    with stage.session() as other:
        said = other.answer(run, approve=yes, who="bob")
        assert f"resume {run}" in said.message
    document = session.drive(run)
    assert document.run.exit_code == code
    assert answers(session, run) == [("plan-1.release", "bob", yes)]


@pytest.mark.parametrize("no_first", [True, False])
@pytest.mark.parametrize("who", ["bob", "ada"])
def test_of_a_yes_and_a_no_that_race_the_no_counts(waiting: Waiting, no_first: bool, who: str) -> None:
    """Whoever asked for the goal may always say no to it."""
    stage, session, run = waiting()
    if no_first:
        deny(session, run, who=who)
        with pytest.raises(InvalidRequest, match=f"{who} denied plan-1.release at 2026"):
            approve(session, run)
        plant(stage, run, {"pending": "plan-1.release", "who": "bob", "digest": _digest(session, run)})
    else:
        approve(session, run)
        deny(session, run, who=who)
    assert session.drive(run).run.reason == f"{who} did not approve the plan (plan-1.release)"
    assert answers(session, run) == [("plan-1.release", who, False)]


def _digest(session: Session, run: str) -> str:
    return session.view(run).pending[0].digest


def test_a_no_of_somebody_who_is_not_asked_is_refused(waiting: Waiting) -> None:
    _, session, run = waiting()
    with pytest.raises(NotTheirs):
        deny(session, run, who="eve")
    assert asked(session, run) == ["plan-1.release"]


def test_a_no_from_elsewhere_counts_even_while_the_person_at_the_door_says_yes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY, world=priced(usd_per_hour=DEAR))

    def ask(_: Pending) -> bool:
        with stage.session(patient()) as other:
            (line,) = other.runs().runs
            deny(other, line.id)
        return True

    session, document = stage.run(ask=ask, limits=patient())
    assert (document.run.exit_code, document.run.reason) == (3, "bob did not approve the plan (plan-1)")
    session.close()


def test_a_question_is_answered_once_and_who_was_first_is_told(waiting: Waiting) -> None:
    _, session, run = waiting(usd_per_hour=DEAR)
    approve(session, run, "plan-1", who="ada")
    with pytest.raises(InvalidRequest, match="ada approved plan-1 at 2026-01-01T"):
        approve(session, run, "plan-1", who="eve")
    approve(session, run, who="bob")
    session.drive(run)
    with pytest.raises(InvalidRequest, match=r"bob approved plan-1\.release at 2026-01-01T"):
        deny(session, run, "plan-1.release")
    with pytest.raises(InvalidRequest, match=r"it asks nothing: bob approved plan-1\.release"):
        approve(session, run)


def test_every_name_that_is_not_asked_is_named_at_once_and_nothing_is_answered(waiting: Waiting) -> None:
    _, session, run = waiting()
    with pytest.raises(InvalidRequest) as found:
        approve(session, run, "plan-1.release", "plan-2", "plan-3")
    assert [f.what for f in found.value.faults] == ["it does not wait for that answer; it asks plan-1.release"] * 2
    assert session.drive(run).run.status == "waiting"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"pending": "plan-7", "who": "bob"}, "nothing is asked by the name 'plan-7'"),
        ({"pending": None, "who": "bob"}, "nothing is asked by the name ''"),
        ({"who": "bob"}, "nothing is asked by the name ''"),
        ({"pending": "plan-1.release", "who": "bob"}, "it was given to something else than what is asked"),
        ({"pending": "plan-1.release", "who": "bob", "digest": "0" * 64}, "it was given to something else"),
        ({"pending": "plan-1.release", "who": "ada", "digest": "?"}, "ada may not answer it"),
        ({"pending": "plan-1.release", "who": "eve", "digest": "?", "roles": ["release"]}, "eve may not answer it"),
        ({"pending": "plan-1.release", "digest": "?"}, "it does not say who gave it"),
        ({"pending": ["plan-1.release"], "who": {"a": "bob"}, "digest": "?"}, "nothing is asked by the name"),
    ],
    ids=str,
)
def test_a_message_that_is_no_answer_to_what_is_asked_does_not_count_and_is_noted(
    waiting: Waiting, body: Json, why: str
) -> None:
    stage, session, run = waiting()
    digest = _digest(session, run)
    plant(stage, run, {k: digest if v == "?" else v for k, v in body.items()})
    assert session.drive(run).run.status == "waiting"
    (noted,) = [e for e in session.events(run) if e.kind == "ignored"]
    assert why in str(noted.body["why"])
    assert "does not count" in noted.text
    assert stage.calls() == []
    assert asked(session, run) == ["plan-1.release"]


def test_a_yes_from_before_it_was_asked_does_not_count(waiting: Waiting) -> None:
    stage, session, run = waiting()
    body: Json = {"pending": "plan-1.release", "who": "bob", "digest": _digest(session, run)}
    plant(stage, run, body, at=stage.clock.now() - 1)
    assert session.drive(run).run.status == "waiting"


def test_a_question_that_nobody_answers_in_time_is_a_no(waiting: Waiting) -> None:
    stage, session, run = waiting()
    stage.clock.advance(WAITED)
    document = session.drive(run)
    assert document.run.exit_code == 3
    assert document.run.reason == "nobody approved the plan in time (plan-1.release)"
    assert stage.calls() == []
    with pytest.raises(InvalidRequest, match=r"nobody answered plan-1\.release in time"):
        approve(session, run)


def test_a_yes_that_comes_too_late_is_none(waiting: Waiting) -> None:
    stage, session, run = waiting()
    digest = _digest(session, run)
    stage.clock.advance(WAITED)
    with pytest.raises(InvalidRequest, match=r"nobody answered plan-1\.release in time"):
        approve(session, run)
    plant(stage, run, {"pending": "plan-1.release", "who": "bob", "digest": digest})
    assert session.drive(run).run.exit_code == 3


def test_a_yes_that_came_in_time_counts_whenever_it_is_carried_out(waiting: Waiting) -> None:
    stage, session, run = waiting()
    stage.clock.advance(WAITED - 1)
    approve(session, run)
    stage.clock.advance(100)
    assert session.drive(run).run.exit_code == 0


def test_a_yes_that_is_carried_out_after_it_lapsed_is_asked_again_and_says_why(waiting: Waiting) -> None:
    stage, session, run = waiting()
    approve(session, run)
    stage.clock.advance(3 * WAITED)
    assert session.drive(run).run.status == "waiting"
    (again,) = session.view(run).pending
    assert again.id == "plan-1.release.2"
    assert again.again.startswith("what bob approved as plan-1.release was to begin before 2026-01-03T")
    assert stage.calls() == []


def test_a_person_at_the_door_who_thinks_too_long_has_not_said_yes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY, world=priced(usd_per_hour=DEAR))

    def ask(_: Pending) -> bool:
        stage.clock.advance(WAITED)
        return True

    session, document = stage.run(ask=ask, limits=patient())
    assert document.run.exit_code == 3
    session.close()


def test_a_yes_given_under_other_policies_is_asked_again_and_stays_in_the_journal(waiting: Waiting) -> None:
    stage, session, run = waiting()
    approve(session, run)
    other = patient()
    search = other.search.model_copy(update={"trials": 499})
    with stage.session(other.model_copy(update={"search": search})) as changed:
        assert changed.drive(run).run.status == "waiting"
        assert asked(changed, run) == ["plan-1.release.2"]
        kinds = [e.kind for e in changed.events(run)]
        assert kinds[-4:] == ["ignored", "answer", "rejudged", "asked"]
        assert stage.calls() == []
        approve(changed, run)
        assert changed.drive(run).run.exit_code == 0


def test_a_yes_that_was_taken_in_does_not_outlive_the_policies(waiting: Waiting) -> None:
    stage, session, run = waiting(usd_per_hour=DEAR)
    approve(session, run, "plan-1.release")
    assert session.drive(run).run.status == "waiting"
    assert answers(session, run) == [("plan-1.release", "bob", True)]
    other = patient().model_copy(update={"parallel": limits().parallel.model_copy(update={"calls": 7})})
    with stage.session(other) as changed:
        changed.drive(run)
        again = {p.id: p.again for p in changed.view(run).pending}
        assert again["plan-1.release.2"] == "the policies have changed since bob approved plan-1.release"


def test_somebody_who_loses_the_role_before_the_call_has_not_approved_it(waiting: Waiting) -> None:
    stage, session, run = waiting()
    approve(session, run)
    with stage.session(patient(release=("eve",))) as changed:
        assert changed.drive(run).run.status == "waiting"
        (again,) = changed.view(run).pending
        assert again.who == ("eve",)
        assert stage.calls() == []


class Late:
    """The shipped policies, and one that holds a tool's calls when they are made; no plan foresees it."""

    def __init__(self, *tools: str, policy: str = "production") -> None:
        self._shipped, self._tools, self._policy = policies(patient()), tools, policy
        self.limits, self.digest = self._shipped.limits, self._shipped.digest + policy

    def prepare(self) -> None:
        pass

    def judge(self, request: Request) -> Decision:
        found = self._shipped.judge(request)
        if not request.facts.digest or request.tool not in self._tools or found.ruling == "refused":
            return found
        late = Finding(policy=self._policy, ruling="held", sentence=f"{request.tool} is late")
        return Decision(ruling="held", findings=(*found.findings, late))


def test_a_call_that_no_envelope_holds_is_asked_about_on_its_own_while_others_go_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), policies=Late("tune_model"))
    session, document = stage.run()
    open_ = session.view(document.run.id).pending
    assert [q.id for q in open_] == [
        "call-tune-logistic-regression-1.release",
        "call-tune-gradient-boosting-1.release",
    ]
    assert document.run.exit_code == 4
    assert [e.phase for e in session.view(document.run.id).steps[:3]] == ["done", "asking", "asking"]
    calls = {str(e.body["call"]["digest"]) for e in session.events(document.run.id) if e.body.get("ruling") == "held"}  # type: ignore[index, call-overload]
    assert {q.digest for q in open_} == calls
    approve(session, document.run.id, open_[0].id)
    assert session.drive(document.run.id).run.status == "waiting"
    assert [e.phase for e in session.view(document.run.id).steps[:3]] == ["done", "done", "asking"]
    approve(session, document.run.id)
    assert session.drive(document.run.id).run.exit_code == 0
    tokens = [e.token for e in stage.calls("jobs.submit")]
    assert len(tokens) == len(set(tokens))
    session.close()


def test_a_run_that_is_cancelled_asks_no_more(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY, policies=Late("shift_traffic"))
    session, document = stage.run()
    run = document.run.id
    assert asked(session, run) == ["call-shift-10-1.release"]
    session.cancel(run, who="eve")
    assert session.drive(run).run.status == "cancelled"
    assert asked(session, run) == []
    assert stage.owned() == []
    with pytest.raises(InvalidRequest, match=r"call-shift-10-1\.release is no longer asked"):
        approve(session, run, "call-shift-10-1.release")
    session.close()


def test_a_no_to_a_single_call_ends_the_run_and_names_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), policies=Late("select_model", policy="default"))
    session, document = stage.run(ask=lambda _: False)
    assert document.run.exit_code == 3
    assert document.run.reason == "ada did not approve select (call-select-1)"
    session.close()


def test_a_call_about_a_time_is_made_with_the_time_it_was_asked_about(tmp_path: Path) -> None:
    """Until when a lease holds was settled when it was held; to be asked anew each time would never end."""
    stage = Stage(tmp_path, CANARY, policies=Late("extend_lease"))
    session, document = stage.run()
    (question,) = session.view(document.run.id).pending
    assert question.bounds is not None
    until = question.bounds.kinds[0].args["until"]
    stage.clock.advance(300)
    approve(session, document.run.id)
    assert session.drive(document.run.id).run.exit_code == 0
    assert stage.backend.serving.state("tumours").lease_until == until
    session.close()


def test_a_yes_to_a_single_call_that_is_carried_out_after_it_lapsed_is_asked_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), policies=Late("select_model"))
    session, document = stage.run()
    approve(session, document.run.id)
    stage.clock.advance(2 * WAITED)
    assert session.drive(document.run.id).run.status == "waiting"
    assert asked(session, document.run.id) == ["call-select-1.release.2"]
    session.close()

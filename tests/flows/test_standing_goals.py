"""Standing goals on a simulated world, in virtual time: weeks of checks, alarms, reactions, and why none is made."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from standing_desk import EVERY, HOUR, Home, begun, kinds, pass_time, records, wanted, work

from agent.clock import Clock
from agent.contract import Contract, Part, Prepare, Rollout, Upkeep
from agent.errors import InvalidRequest
from agent.session import Session
from agent.standing.handover import COOL_CHECKS
from agent.upkeep import Checked, Concluded, Held, Reacted, Terms

DAY = 24 * HOUR


def looked_after(folder: Path, *, lease_s: float = 30 * DAY, **more: object) -> tuple[Home, Session, str]:
    home = Home(folder, wanted(folder, **more), lease_s=lease_s)  # type: ignore[arg-type]
    session, goal, document = begun(home)
    assert document.run.exit_code == 0, document.run.reason
    return home, session, goal


def replaced(folder: Path, **more: object) -> tuple[Home, Session, str, str]:
    """A second version took the place of a first one a moment ago, and is looked after."""
    contract = wanted(folder, **more)  # type: ignore[arg-type]
    (one,) = contract.parts
    home = Home(folder, Contract(parts=(one.model_copy(update={"upkeep": None}),)))
    home.ended()
    old = home.serving()
    newer = one.model_copy(update={"prepare": Prepare(clean=("scale",))})
    home.brain.contract = contract.model_copy(update={"parts": (newer,)})
    session, goal, _ = begun(home)
    assert home.serving() != old
    return home, session, goal, old


def reactions(session: Session, goal: str) -> list[tuple[str, str]]:
    return [(r.what, r.trigger) for r in records(session, goal, Reacted) if r.what != "extend"]


def ends(session: Session, goal: str) -> list[str]:
    return [e.came for e in records(session, goal, Concluded) if "-extend" not in e.run]


def test_a_run_hands_its_endpoint_over_and_its_report_names_the_standing_goal(tmp_path: Path) -> None:
    home = Home(tmp_path, wanted(tmp_path))
    session, goal, document = begun(home)
    clause = next(c for c in document.run.clauses if c.id == "upkeep")
    assert (document.run.exit_code, clause.verdict, goal in clause.note) == (0, "MET", True)
    assert kinds(session, goal) == ["standing"]
    assert [r.id for r in session.runs().runs] == [document.run.id], "a standing goal is no run"
    (terms,) = records(session, goal, Terms)
    assert (terms.endpoint, terms.every_s, terms.run) == ("tumours", EVERY, document.run.id)


def test_weeks_of_healthy_traffic_bring_no_alarm_and_no_reaction_but_longer_leases(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, every_s=12 * HOUR, lease_s=4 * DAY, retrain_on=("drift", "breach"))
    home.rps = 0.02
    pass_time(session, home, checks=28, every_s=12 * HOUR)
    level = session.goal(goal)
    assert (level.state, level.checks, level.alarms, level.why, level.do) == ("healthy", 28, 0, "", "")
    assert reactions(session, goal) == []
    extended = [r for r in records(session, goal, Reacted) if r.what == "extend"]
    assert len(extended) >= 6
    assert {c.came for c in records(session, goal, Concluded)} == {"extended"}
    assert home.backend.serving.state("tumours").lease_until > home.clock.now()


def test_few_requests_are_unproven_and_never_a_breach(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("breach",))
    home.rps, home.error_rate, home.detector.rows = 8 / EVERY, 0.9, 8
    pass_time(session, home, checks=1)
    (seen,) = records(session, goal, Checked)
    assert seen.requests == 8
    home.rps = 0.0
    pass_time(session, home, checks=1)
    level = session.goal(goal)
    assert level.state == "at_risk"
    assert {c.id: c.verdict for c in level.clauses} == {
        "ready": "MET",
        "latency_p95_ms": "UNPROVEN",
        "error_rate": "UNPROVEN",
    }


def test_a_breach_after_a_rollout_is_rolled_back_first_and_then_all_is_well(tmp_path: Path) -> None:
    home, session, goal, old = replaced(tmp_path, retrain_on=("breach",))
    new = home.serving()
    pass_time(session, home, checks=1)
    home.bad[new] = 0.2
    pass_time(session, home, checks=2)
    assert home.serving() == old
    assert (reactions(session, goal), ends(session, goal)) == ([("rollback", "breach")], ["rolled_back"])
    assert session.goal(goal).state == "healthy"


@pytest.mark.slow
def test_what_was_gone_back_to_is_not_gone_back_from_without_a_person(tmp_path: Path) -> None:
    home, session, goal, old = replaced(tmp_path)
    home.error_rate = 0.2
    pass_time(session, home, checks=4)
    assert home.serving() == old
    assert reactions(session, goal) == [("rollback", "breach")]
    level = session.goal(goal)
    assert level.state == "waiting"
    assert "look into it" in level.do


def test_drift_with_fresh_rows_is_trained_on_canaried_and_promoted(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("drift",))
    old = home.serving()
    pass_time(session, home, checks=2)
    home.detector.drifts.add(old)
    home.renew(1)
    pass_time(session, home, checks=2)
    assert home.serving() != old
    assert (reactions(session, goal), ends(session, goal)) == ([("retrain", "drift")], ["promoted"])
    level = session.goal(goal)
    assert (level.state, level.version) == ("healthy", home.serving())
    (child,) = [r for r in session.runs().runs if "-retrain" in r.id]
    document = session.show(child.id)
    assert {c.id: c.verdict for c in document.run.clauses}["no-worse"] == "MET"
    shifts = [s for s in document.plan.steps if s.tool == "shift_traffic"]
    assert len(shifts) == 3, "a canary, step by step"
    story = session.story(goal)
    assert "alarm" in story
    assert f"[{child.id}]" in story
    assert "promoted" in story


def test_the_same_rows_are_not_trained_on_again_and_a_person_is_told_what_to_do(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("drift",))
    home.detector.drifts.add(home.serving())
    pass_time(session, home, checks=3)
    level = session.goal(goal)
    assert (level.state, reactions(session, goal)) == ("waiting", [])
    assert "rows.csv" in level.do
    assert [h.reason for h in records(session, goal, Held)] == ["same_data"], "it is said once"
    home.renew(1)
    pass_time(session, home, checks=1)
    assert reactions(session, goal) == [("retrain", "drift")]


@pytest.mark.slow
def test_a_model_that_is_no_better_is_not_promoted_and_the_cool_down_doubles(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("drift",))
    old = home.serving()
    home.detector.drifts.add(old)
    home.spoil_training()
    for number in range(1, 24):
        home.renew(number)
        pass_time(session, home, checks=1)
    assert home.serving() == old
    assert set(ends(session, goal)) == {"kept"}
    at = [r.at for r in records(session, goal, Reacted) if r.what == "retrain"]
    gaps = [round((b - a) / EVERY) for a, b in pairwise(at)]
    assert gaps[0] >= 2 * COOL_CHECKS
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 2 * gaps[0] - 1
    assert "cool_down" in {h.reason for h in records(session, goal, Held)}


@pytest.mark.slow
def test_only_so_many_reactions_are_made_in_a_month(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("new_data",))
    for number in range(1, 8):
        home.renew(number)
        pass_time(session, home, checks=1, every_s=6 * EVERY)
    level = session.goal(goal)
    assert level.reactions_month == level.reactions_month_limit == 4
    assert "this month" in level.why
    assert level.state == "paused"


@pytest.mark.slow
def test_a_schedule_trains_in_its_rhythm_also_on_the_same_rows(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, every_s=DAY, retrain_on=("schedule",))
    pass_time(session, home, checks=3, every_s=DAY)
    assert reactions(session, goal) == [("retrain", "schedule")] * 3


@pytest.mark.slow
def test_when_the_money_is_used_up_nothing_is_begun_and_it_says_so(tmp_path: Path) -> None:
    from simulated import priced

    contract = wanted(tmp_path, retrain_on=("new_data",), budget_usd=1.0)
    home = Home(tmp_path, contract, world=priced(usd_per_hour=0.06), lease_s=8 * HOUR)
    session, goal, document = begun(home)
    assert document.run.exit_code == 0, document.run.reason
    for number in range(1, 15):
        home.renew(number)
        pass_time(session, home, checks=1)
    level = session.goal(goal)
    spent = sum(c.usd for c in records(session, goal, Concluded))
    assert document.run.spent.usd + spent <= 1.0
    assert level.state in ("waiting", "paused")
    assert all(r.usd is not None and r.usd <= 1.0 for r in records(session, goal, Reacted))


def test_a_reaction_waits_for_the_approval_that_policy_asks_for(tmp_path: Path) -> None:
    home = Home(tmp_path, wanted(tmp_path, retrain_on=("drift",)))
    session = home.open()
    run = session.start(home.request(accept=False))
    session.drive(run, ask=lambda _: True)
    goal = f"{run}.1"
    old = home.serving()
    home.detector.drifts.add(old)
    home.renew(1)
    pass_time(session, home, checks=2)
    level = session.goal(goal)
    assert (level.state, home.serving()) == ("waiting", old)
    assert level.do.endswith(f"approve {goal}-retrain1")
    session.answer(f"{goal}-retrain1", approve=True, who="ada")
    session.drive(f"{goal}-retrain1")
    pass_time(session, home, checks=1)
    assert home.serving() != old
    assert session.goal(goal).state == "healthy"


def test_an_endpoint_that_is_gone_is_a_breach_that_a_person_decides_about(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("drift", "breach"))
    home.backend.serving.remove("tumours")
    pass_time(session, home, checks=2)
    level = session.goal(goal)
    assert (level.state, reactions(session, goal)) == ("waiting", [])
    assert "not there" in level.why
    assert {c.id: c.verdict for c in level.clauses}["ready"] == "NOT MET"


@pytest.mark.slow
def test_a_pure_watch_hands_over_after_its_first_check_and_does_not_touch_the_lease(tmp_path: Path) -> None:
    home = Home(tmp_path, wanted(tmp_path))
    (one,) = wanted(tmp_path).parts
    home.brain.contract = Contract(parts=(one.model_copy(update={"upkeep": None}),))
    home.ended()
    live = tuple(c for c in one.clauses if c.where == "live")
    watch = Part(name="model", task="watch", target="tumours", clauses=live, upkeep=Upkeep(every_s=EVERY))
    home.brain.contract = Contract(parts=(watch,))
    session, goal, document = begun(home)
    assert document.run.exit_code == 0, document.run.reason
    pass_time(session, home, checks=2)
    assert kinds(session, goal) == ["standing", "checked", "checked"]


@pytest.mark.slow
def test_what_was_not_kept_is_not_looked_after(tmp_path: Path) -> None:
    home = Home(tmp_path, wanted(tmp_path), world="bad-canary")
    home.ended()
    session, goal, document = begun(home)
    kept = document.run.resources.kept
    clause = next(c for c in document.run.clauses if c.id == "upkeep")
    assert (bool(kept), clause.verdict == "MET") in ((True, True), (False, False))
    assert bool(session._store.rows("standing")) == bool([r for r in session.goals().goals])
    del goal


def test_it_ends_with_its_time_and_lets_the_lease_lapse(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, every_s=6 * HOUR, lease_s=DAY, for_s=2 * DAY)
    pass_time(session, home, checks=9, every_s=6 * HOUR)
    level = session.goal(goal)
    assert (level.state, level.next_check) == ("ended", None)
    (terms,) = records(session, goal, Terms)
    assert terms.until is not None
    leases = [r.lease_to for r in records(session, goal, Reacted) if r.lease_to is not None]
    assert leases
    assert max(leases) <= terms.until
    before = kinds(session, goal)
    assert session.wake(goal).ended
    assert kinds(session, goal) == before


def test_a_lease_that_was_asked_for_is_not_extended_and_ends_the_goal(tmp_path: Path) -> None:
    contract = wanted(tmp_path)
    (one,) = contract.parts
    rollout = Rollout(strategy="direct", lease_s=3 * HOUR)
    home = Home(tmp_path, Contract(parts=(one.model_copy(update={"rollout": rollout}),)))
    session, goal, _ = begun(home)
    pass_time(session, home, checks=5)
    assert [r for r in records(session, goal, Reacted)] == []
    assert session.goal(goal).state == "ended"


def test_cancelling_ends_it_and_what_it_has_under_way(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("drift",))
    home.detector.drifts.add(home.serving())
    home.renew(1)
    home.call(EVERY)
    session.wake(goal)
    assert session.goal(goal).state == "reacting"
    assert goal in session.cancel(goal, "ada")
    assert session.goal(goal).state == "ended"
    work(session, home)
    assert [r.status for r in session.runs().runs if "-retrain" in r.id] == ["cancelled"]
    with pytest.raises(InvalidRequest, match="ended already"):
        session.cancel(goal, "ada")


def test_a_standing_goal_is_no_run_and_says_where_to_look(tmp_path: Path) -> None:
    _, session, goal = looked_after(tmp_path)
    for ask in (session.show, session.drive):
        with pytest.raises(InvalidRequest, match="is a standing goal"):
            ask(goal)
    assert session.view(goal).id == goal
    assert [e.kind for e in session.events(goal)] == ["standing"]


def test_missed_checks_are_caught_up_as_one_over_the_whole_span(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path)
    pass_time(session, home, checks=1)
    home.call(5.5 * EVERY)
    work(session, home)
    first, second = records(session, goal, Checked)
    assert second.since == first.at
    assert second.requests == round(home.rps * 5.5 * EVERY)
    assert (second.due - first.due) / EVERY == pytest.approx(5.0)


class Jumping:
    """A clock that somebody sets."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.off = clock, 0.0

    def now(self) -> float:
        return self._clock.now() + self.off

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def test_a_clock_that_is_set_back_or_ahead_neither_skips_nor_doubles_a_check(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, for_s=20 * DAY)
    session.close()
    clock = Jumping(home.clock)
    session = home.open(clock)
    asked = 0
    for off in (0.0, 40 * DAY, 0.0, -3 * DAY, -3 * DAY, 0.0):
        home.call(EVERY)
        asked += round(home.rps * EVERY)
        clock.off = off
        for _ in range(3):
            session.wake(goal)
    found = records(session, goal, Checked)
    assert len(found) == 6, "one each, however often it is woken"
    assert sum(c.requests for c in found) <= asked, "no request is judged twice"
    assert session.goal(goal).state != "ended", "a leap ends nothing"
    due = session._store.row(goal).due
    assert due is not None
    assert due <= clock.now() + EVERY


def test_a_wake_up_that_comes_twice_or_too_early_changes_nothing(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path)
    for _ in range(3):
        session.wake(goal)
    assert kinds(session, goal) == ["standing"]
    pass_time(session, home, checks=1)
    before = kinds(session, goal)
    for _ in range(3):
        session.wake(goal)
    assert kinds(session, goal) == before


def test_a_bad_read_proves_nothing_and_the_next_check_goes_on(tmp_path: Path) -> None:
    from tools.backends.sim.faults import Fault

    home, session, goal = looked_after(tmp_path, retrain_on=("breach",))
    home.backend.faults.add(Fault.model_validate({"operation": "serving.state", "fault": "throttle", "times": 1}))
    pass_time(session, home, checks=1)
    assert session.goal(goal).state == "at_risk"
    assert reactions(session, goal) == []
    pass_time(session, home, checks=1)
    assert session.goal(goal).state == "healthy"


@pytest.mark.slow
def test_prefixes_name_the_run_its_goal_and_its_reactions(tmp_path: Path) -> None:
    home, session, goal = looked_after(tmp_path, retrain_on=("new_data",))
    home.renew(1)
    pass_time(session, home, checks=1)
    run = goal.removesuffix(".1")
    assert session._resolve(run[:-1]) == run
    assert session._resolve(goal) == goal
    assert session._resolve("-retrain1") == f"{goal}-retrain1"


def test_the_goal_that_is_run_again_takes_over_from_its_first_run(tmp_path: Path) -> None:
    home, _, first = looked_after(tmp_path)
    home.renew(1)
    again, second, document = begun(home)
    assert document.run.exit_code == 0, document.run.reason
    pass_time(again, home, checks=1)
    old, new = again.goal(first), again.goal(second)
    assert (old.state, old.do, new.state) == ("ended", "", "healthy")
    assert second in old.why
    again._hand_over(again._fold(first.removesuffix(".1")))
    assert not again._store.messages(second), "what is handed over again ends nothing"

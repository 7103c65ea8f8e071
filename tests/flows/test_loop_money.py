"""Money in whole runs on a simulated world: what is billed too much, what is never blocked, and who had it first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, part, policies, priced, steps_of

from agent.contract import Contract, Prepare, Rollout
from agent.documents import Event, RunView
from agent.record.ledger import Cap, Crossing, Entry
from agent.record.store import Store
from agent.sentences import sentence
from agent.session import Session
from tools.backends.sim.world import Duration, World, load_world
from tools.language import speaking

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
MICRO = 1_000_000


def billed(program: str, usd: float, *, world: str = "steady", **more: object) -> World:
    """A world at a dollar an hour in which the jobs of one program are billed that much each."""
    return priced(world, usd_per_hour=1.0).model_copy(update={"bills": {program: round(usd * MICRO)}, **more})


def events(session: Session, run: str, kind: str) -> list[Event]:
    return [e for e in session.events(run) if e.kind == kind]


def named(contract: Contract, clean: str) -> Contract:
    """The same goal for another model."""
    (one,) = contract.parts
    return contract.model_copy(update={"parts": (one.model_copy(update={"prepare": Prepare(clean=(clean,))}),)})


# Bills above their reservations.


def test_a_bill_above_its_reservation_freezes_the_run_says_so_and_winds_it_down(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, rollout="direct"), world=billed("train", 7.0))
    session, document = stage.run(accept=True)
    run = document.run
    first, *_ = events(session, run.id, "overrun")
    assert first.text.endswith("were reserved: nothing new starts, and what runs is ended")
    assert "was billed $7" in run.reason
    assert run.exit_code == 1
    begun = [e.seq for e in events(session, run.id, "intent")]
    assert max(begun) < first.seq  # nothing new has started
    assert "jobs.cancel" in stage.kinds()  # the other search was ended
    assert stage.owned() == []
    store = Store(stage.settings.home / "goalkeeper.db")
    assert store.purse(run.id, at=stage.clock.now()).frozen
    row = store.row(run.id)
    assert row.reserved == 0
    assert row.overrun > 0
    assert (row.settled + row.overrun) / MICRO == pytest.approx(run.spent.usd)
    assert run.spent.usd >= 14.0  # the search that was ended is billed as well
    store.close()
    session.close()


def test_a_bill_above_its_reservation_and_within_the_budget_freezes_all_the_same(tmp_path: Path) -> None:
    wanted = classify(ACCURACY, budget_usd=100.0)
    stage = Stage(tmp_path, wanted, world=billed("prepare", 3.0))
    document = stage.ended()
    assert document.run.exit_code == 1
    assert "was billed $3" in document.run.reason
    assert [e.token.split("/")[1] for e in stage.calls("jobs.submit")] == ["prepare"]


def test_a_bill_within_its_reservation_is_taken_as_it_is(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), world=billed("train", 0.001))
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 0
    assert events(session, document.run.id, "overrun") == []
    bills = {e.body["call"]: e.body["billed_micro"] for e in events(session, document.run.id, "outcome")}
    assert sorted(v for k, v in bills.items() if "tune" in str(k) and v is not None) == [1000, 1000]
    session.close()


def test_a_freeze_does_not_keep_what_served_before_from_coming_back(tmp_path: Path) -> None:
    """The watch of a canary is billed far above its reservation: the incumbent has all traffic again."""
    stage = Stage(tmp_path, CANARY, world=priced(usd_per_hour=1.0))
    before = stage.ended().run.resources.kept[0].model
    world = billed("load", 9.0)
    stage.backend.world.__dict__["bills"] = world.bills
    stage.brain.contract = named(CANARY, "scale")
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 1
    assert "was billed $9" in document.run.reason
    assert {v.name: v.weight for v in stage.backend.serving.state("tumours").versions} == {before: 100}
    (over,) = events(session, document.run.id, "overrun")
    later = [e for e in events(session, document.run.id, "verdict") if e.seq > over.seq]
    assert [(e.body["ruling"], dict(e.body["call"])["tool"]) for e in later] == [("approved", "rollback_endpoint")]  # type: ignore[call-overload]
    session.close()


# Going back is never blocked.


class Hog:
    """Somebody else's run that takes whatever the month still allows, as soon as a step of that kind runs."""

    def __init__(self, home: Path, tool: str, now: float) -> None:
        self.file, self.tool, self.now, self.had = home / "goalkeeper.db", tool, now, 0

    def __call__(self, view: RunView) -> None:
        if self.had or not any(s.tool == self.tool and s.phase == "running" for s in view.steps):
            return
        store = Store(self.file)
        caps = (Cap(holder="requester", most=HAS), Cap(holder="month", most=HAS))
        store.create(run="hog", goal="g", started=self.now, requester="ada")
        epoch = store.claim("hog", owner="hog", gone=())
        left = store.purse("hog", at=self.now, caps=caps).left_month_micro
        assert left is not None
        self.had = left
        entry = Entry(call="everything", kind="reserve", amount=left)
        store.append("hog", epoch=epoch, at=self.now, lines=[], money=[entry])  # and keeps to no limit
        store.close()


HAS = 50 * MICRO


def limited(stage: Stage, **money: float) -> None:
    rules = policies(None)
    limits = rules.limits.model_copy(update={"money": rules.limits.money.model_copy(update=money)})
    stage.policies = policies(limits)


def replaced(tmp_path: Path, *, lease_s: float, budget: float | None = None) -> tuple[Stage, str]:
    """A world in which the second deployment is bad, with a first one that lives that long; its version."""
    world = priced("bad-canary", usd_per_hour=1.0).model_copy(update={"bad_deploys": (2,)})
    first = CANARY.parts[0].rollout.model_copy(update={"lease_s": lease_s})
    wanted = CANARY.model_copy(update={"parts": (CANARY.parts[0].model_copy(update={"rollout": first}),)})
    stage = Stage(tmp_path, wanted, world=world)
    before = stage.ended().run.resources.kept[0].model
    stage.brain.contract = named(wanted, "scale").model_copy(update={"budget_usd": budget})
    return stage, before


def most_committed(session: Session, run: str) -> int:
    """The largest sum of what was spent and reserved at any line, in micro-USD."""
    reserved: dict[str, int] = {}
    held: dict[str, int] = {}
    most = 0
    for event in session.events(run):
        body: dict[str, Any] = dict(event.body)
        if event.kind == "verdict":
            reserved[body["call"]["id"]] = body["reserve_micro"]
        elif event.kind == "intent":
            held[body["call"]] = reserved[body["call"]]
        elif event.kind == "outcome" and body["phase"] != "running" and not body["holds"]:
            held[body["call"]] = body["settled_micro"]
        elif event.kind == "settled":
            held[body["call"]] = body["usd_micro"]
        most = max(most, sum(held.values()))
    return most


def test_with_the_budget_used_up_to_the_last_cent_a_bad_version_is_rolled_back_within_what_was_reserved(
    tmp_path: Path,
) -> None:
    stage, _ = replaced(tmp_path / "rich", lease_s=120.0)
    session, rich = stage.run(accept=True)
    most = most_committed(session, rich.run.id)
    session.close()
    stage, before = replaced(tmp_path / "exact", lease_s=120.0, budget=most / MICRO)
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 1
    assert "rollback_endpoint" in [s.tool for s in document.plan.steps]
    assert {v.name: v.weight for v in stage.backend.serving.state("tumours").versions} == {before: 100}
    store = Store(stage.settings.home / "goalkeeper.db")
    (undo,) = [m for m in store.movements(document.run.id) if m.call.endswith("/undo")]
    assert undo.settled is not None
    assert 0 < undo.settled <= undo.reserved  # what served before lives longer than its own lease
    row = store.row(document.run.id)
    assert (row.reserved, row.overrun, row.budget) == (0, 0, most)
    assert row.settled <= most
    assert most_committed(session, document.run.id) == most
    (settled,) = events(session, document.run.id, "settled")
    assert settled.body["undo_micro"] == undo.settled
    store.close()
    session.close()


def test_what_served_before_and_is_not_needed_again_costs_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY, world=priced(usd_per_hour=1.0))
    stage.ended()
    stage.brain.contract = named(CANARY, "scale")
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 0
    store = Store(stage.settings.home / "goalkeeper.db")
    (undo,) = [m for m in store.movements(document.run.id) if m.call.endswith("/undo")]
    assert undo.reserved > 0
    assert undo.settled == 0
    store.close()
    session.close()


def test_a_month_that_others_have_used_up_does_not_keep_a_bad_version_from_being_rolled_back(tmp_path: Path) -> None:
    stage, before = replaced(tmp_path, lease_s=120.0)
    limited(stage, requester_usd_per_month=50.0, all_usd_per_month=50.0)
    with stage.begun() as (session, run):
        hog = Hog(stage.settings.home, "monitor_endpoint", stage.clock.now())
        document = session.drive(run, watch=hog)
        assert hog.had > 0
        assert document.run.exit_code in (1, 3)
        assert {v.name: v.weight for v in stage.backend.serving.state("tumours").versions} == {before: 100}
        (back,) = [e for e in events(session, run, "verdict") if dict(e.body["call"])["tool"] == "rollback_endpoint"]  # type: ignore[call-overload]
        assert back.body["ruling"] == "approved"


HELD = Rollout(strategy="canary", hold_s=60.0)


def busy(tmp_path: Path) -> Stage:
    """A goal whose deadline passes in the middle of a canary and of a search, each in one of two places."""
    world = load_world("steady")
    slow = {**world.durations, "train": Duration(median_s=100.0)}
    stage = Stage(tmp_path, classify(ACCURACY, rollout="direct"), world=world.model_copy(update={"durations": slow}))
    stage.ended()
    deploy = part(LATENCY, name="a", target="copy", task="deploy", data=(), rollout=HELD, source_models=("tumours",))
    train = part(ACCURACY, name="b", target="other")
    stage.brain.contract = Contract(parts=(deploy, train), deadline_s=40.0)
    rules = policies(None).limits
    stage.policies = policies(rules.model_copy(update={"parallel": rules.parallel.model_copy(update={"calls": 2})}))
    return stage


def test_calls_that_fill_every_place_and_cannot_be_ended_do_not_hold_up_a_taking_back(tmp_path: Path) -> None:
    stage = busy(tmp_path)
    stage.backend.faults.arm(operation="jobs.cancel", fault="refuse", times=None)
    began = stage.clock.now()
    document = stage.ended()
    assert "deadline" in document.run.reason
    (gone,) = stage.calls("serving.remove")
    assert gone.at - began < 45.0
    assert stage.clock.now() - gone.at > 15.0  # what could not be ended has ended by itself, long after that


def test_what_is_ended_is_ended_in_the_order_that_wastes_least(tmp_path: Path) -> None:
    """The watch began before the search and is ended after it; the endpoint goes last."""
    stage = busy(tmp_path)
    document = stage.ended()
    assert "deadline" in document.run.reason
    begun = [t for t in steps_of(stage.calls("jobs.submit")) if t.startswith(("a.monitor", "b.tune"))]
    assert begun[0].startswith("a.monitor")
    ended = [e for e in stage.calls() if e.kind in ("jobs.cancel", "serving.remove")]
    assert [e.kind for e in ended] == ["jobs.cancel", "jobs.cancel", "serving.remove"]
    assert [step.partition("-")[0] for step in steps_of(ended[:2])] == ["b.tune", "a.monitor"]


# Who was first.


class Slower(Session):
    """A session whose store lets somebody else reserve first, between a verdict and its commit."""

    hog: Hog

    @property
    def _store(self) -> Store:
        if self._store_ is None:
            self._store_ = Passed(self._settings.home / "goalkeeper.db")
            self._store_.hog = self.hog
        return self._store_


class Passed(Store):
    hog: Hog

    def append(self, run: str, *, money: Any = (), **more: Any) -> list[tuple[int, str]]:
        if any(e.kind == "reserve" and e.amount > 0 for e in money):
            self.hog(RunView.model_construct(steps=(Running(),)))  # type: ignore[arg-type]
        return super().append(run, money=money, **more)


class Running:
    tool, phase = "any", "running"


def test_of_two_runs_that_reserve_at_once_the_second_is_judged_anew_and_starts_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), world=priced(usd_per_hour=1.0))
    limited(stage, requester_usd_per_month=50.0, all_usd_per_month=50.0)
    with stage.begun() as (session, run):
        assert stage.policies is not None
        slower = Slower(
            settings=stage.settings,
            backend=stage.backend,
            brain=stage.brain,
            clock=stage.clock,
            policies=stage.policies,
        )
        slower.hog = Hog(stage.settings.home, "any", stage.clock.now())
        document = slower.drive(run)
        slower.close()
        assert slower.hog.had == HAS
        assert stage.calls("jobs.submit") == []
        assert document.run.exit_code == 3
        assert "this month" in document.run.reason
        assert [e.seq for e in session.events(run)] == list(range(1, len(list(session.events(run))) + 1))


def test_what_works_on_one_endpoint_draws_on_its_account_in_every_run(tmp_path: Path) -> None:
    """Eight hours of it cost eight dollars of ten a month: to keep it as long again there is not enough left."""
    stage = Stage(tmp_path, classify(ACCURACY, rollout="direct"), world=priced(usd_per_hour=1.0))
    limited(stage, standing_usd_per_month=10.0)
    session, document = stage.run(accept=True)
    store = Store(stage.settings.home / "goalkeeper.db")
    held = {(a.holder, a.name): a.settled for a in store.accounts(document.run.id) if a.resource == "usd_micro"}
    store.close()
    spent = round(document.run.spent.usd * MICRO)
    owners = (("run", document.run.id), ("standing", "tumours"), ("requester", "ada"), ("month", ""))
    assert held == dict.fromkeys(owners, spent)
    again = session.drive(session.extend("tumours", for_s=8 * 3600.0, accept=True))
    assert again.run.exit_code in (1, 3)
    assert "of the standing goal's budget is left" in again.run.reason
    session.close()


def test_calls_of_one_round_do_not_reserve_what_another_of_them_has_reserved(tmp_path: Path) -> None:
    """Each search reserves 3.4 cents of 6: the second waits until the first has given back what it did not use."""
    stage = Stage(tmp_path, classify(ACCURACY), world=priced(usd_per_hour=1.0))
    limited(stage, requester_usd_per_month=0.06)
    document = stage.ended()
    assert document.run.exit_code == 0, document.run.reason
    tunes = [e.at for e in stage.calls("jobs.submit") if "tune" in e.token]
    assert len(set(tunes)) == 2


# What is told.


def test_thresholds_of_the_budget_are_said_once_each(tmp_path: Path) -> None:
    """Four jobs at three cents each of 12.6: the third crosses one half, the fourth the rest."""
    world = priced(usd_per_hour=1.0).model_copy(
        update={"bills": dict.fromkeys(("prepare", "train", "evaluate"), 30_000)}
    )
    stage = Stage(tmp_path, classify(ACCURACY, budget_usd=0.126), world=world)
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 0, document.run.reason
    said = events(session, document.run.id, "crossed")
    assert [e.text.partition(":")[0] for e in said] == [f"{n} % of the budget is used up" for n in (50, 80, 95)]
    assert said[0].text.endswith("of $0.126, and $0.033334 is reserved")  # while the second search still runs
    assert said[1].text.endswith("$0.12 of $0.126, and $0 is reserved")
    assert session.drive(document.run.id).run == document.run  # nothing is said again
    with speaking("zh"):
        assert sentence(Crossing.model_validate(said[0].body)).startswith("预算已用去 50%")
    session.close()


def test_the_report_names_what_was_paid_for_and_what_goes_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, rollout="direct"), world=priced(usd_per_hour=1.0))
    session, document = stage.run(accept=True)
    spent = document.run.spent
    assert set(spent.by) == {"compute", "endpoint"}
    assert spent.by["endpoint"] > 8.0  # eight hours after the report, and the rollout before
    assert sum(spent.by.values()) == pytest.approx(spent.usd)
    pace = document.run.pace
    assert (pace.usd_per_hour, pace.home_usd_per_hour) == (1.0, 1.0)
    assert pace.forecast_usd == pace.month_usd == pace.month_forecast_usd == pytest.approx(spent.usd)
    assert "- what goes on: $1.00 an hour" in (stage.settings.home / "runs" / document.run.id / "report.md").read_text()
    ended = session.drive(session.stop("tumours", accept=True)).run
    assert (ended.pace.home_usd_per_hour, ended.pace.month_usd) == (0.0, pytest.approx(spent.usd))
    session.close()


def test_a_live_view_says_what_runs_costs_and_comes_to(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), world=priced(usd_per_hour=1.0))
    seen: list[RunView] = []
    with stage.begun() as (session, run):
        session.drive(run, watch=seen.append)
    busy = [v for v in seen if sum(s.phase == "running" for s in v.steps) == 2]
    assert busy
    assert {v.pace.usd_per_hour for v in busy} >= {2.0}
    assert all(v.pace.forecast_usd == pytest.approx(v.spent_usd + v.reserved_usd) for v in seen)
    assert seen[-1].pace.usd_per_hour == 0.0

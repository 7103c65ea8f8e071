"""Leases on one machine as a state machine: real records in a real folder, processes that are entries of a table."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from tools import sweep
from tools.backends.local.inventory import Inventory
from tools.backends.local.lease import Instant
from tools.backends.local.leftovers import MODULES
from tools.backends.local.process import Process
from tools.backends.local.registry import OVER, TAGS, Identity, Registration, read_json, write_json
from tools.backends.local.watchdog import MARGIN_S, PERIOD_S, Watchdog
from tools.sweep import Finding, Whose

KINDS = ("jobs", "endpoints")
OWNERS = ("me", "you")
SLACK_S = 0.001
"""What adding seconds since boot may lose."""


@dataclass
class Lead:
    """A process of the table. `folder` None: it is nobody's business."""

    one: Process
    folder: Path | None
    stopped: bool = False


class Table:
    """The processes of a machine that is none."""

    def __init__(self) -> None:
        self.alive: dict[int, Lead] = {}
        self.ended: list[Lead] = []
        """Whom somebody ended from outside, since last asked."""
        self._next = 100

    def start(self, folder: Path | None) -> Process:
        self._next += 1
        one = Process(self._next, self._next * 10)
        self.alive[one.pid] = Lead(one, folder)
        return one

    def lead(self, folder: Path) -> Lead | None:
        return next((each for each in self.alive.values() if each.folder == folder), None)

    def running(self, one: Process) -> bool:
        found = self.alive.get(one.pid)
        return found is not None and found.one == one

    def proven(self, one: Process, module: str, folder: Path) -> bool:
        return self.running(one) and self.alive[one.pid].folder == folder and MODULES[folder.parent.name] == module

    def serving(self, module: str) -> Iterator[tuple[Path, Process]]:
        for each in tuple(self.alive.values()):
            if each.folder is not None and MODULES[each.folder.parent.name] == module:
                yield each.folder, each.one

    def finish(self, one: Process, *, grace_s: float) -> None:
        del grace_s
        if self.running(one):
            self.ended.append(self.alive.pop(one.pid))


@dataclass
class Known:
    """What is true of one resource, whatever its record says."""

    folder: Path
    run: str
    owner: str
    lapses: float
    """On the clock since boot."""
    torn: bool = False
    """Its record was damaged or removed: nobody can read whose it is any more."""
    forged: bool = False
    """Its record was written by another, who knows nothing of its process and lease."""
    seen: bool = False
    """The watchdog of now has read its record as it was."""


class LeaseMachine(RuleBasedStateMachine):
    """Law 4 on one machine."""

    resources: Bundle[Known] = Bundle("resources")

    def __init__(self) -> None:
        super().__init__()
        self.runtime = Path(tempfile.mkdtemp(prefix="gk-leases-"))
        self.table = Table()
        self.now = Instant(wall=1_800_000_000.0, up=1000.0, boot="b1")
        self.known: dict[Path, Known] = {}
        self.bystanders = [self.table.start(None) for _ in range(2)]
        self.made = 0
        self.watchdog: Watchdog | None = None
        self.inventory = Inventory(self.runtime, clock=lambda: self.now, machine=self.table)

    def teardown(self) -> None:
        shutil.rmtree(self.runtime)

    @rule(
        target=resources,
        kind=st.sampled_from(KINDS),
        run=st.sampled_from(["r1", "r2"]),
        owner=st.sampled_from(OWNERS),
        lease_s=st.sampled_from([5.0, 60.0, 3600.0]),
        stopped=st.booleans(),
    )
    def create(self, kind: str, run: str, owner: str, lease_s: float, stopped: bool) -> Known:
        self.made += 1
        made = self._made(self.runtime / kind / f"x{self.made}", run, owner, lease_s)
        if stopped:
            self._stop(made)
        return made

    @rule(another=resources, whom=st.sampled_from(["init", "bystander", "another"]))
    def a_record_comes_from_nowhere(self, another: Known, whom: str) -> None:
        """It has no process of its own, and names another's."""
        self.made += 1
        folder = self.runtime / "jobs" / f"x{self.made}"
        folder.mkdir(parents=True, exist_ok=True)
        made = self._record(folder, self._named(another, whom), "r1", "me")
        write_json(folder / TAGS, made.leased(self.now.wall - 1e6, self.now))
        self._watch()

    @rule(
        one=resources,
        run=st.sampled_from(["r1", "r2"]),
        owner=st.sampled_from(OWNERS),
        lease_s=st.sampled_from([60.0, 3600.0]),
    )
    def create_again(self, one: Known, run: str, owner: str, lease_s: float) -> None:
        """An endpoint whose host is gone is deployed anew under its name."""
        if self.table.lead(one.folder) is not None or one.folder.parent.name == "jobs":
            return
        shutil.rmtree(one.folder, ignore_errors=True)
        made = self._made(one.folder, run, owner, lease_s)
        one.__dict__.update(made.__dict__)
        self.known[one.folder] = one

    def _made(self, folder: Path, run: str, owner: str, lease_s: float) -> Known:
        folder.mkdir(parents=True)
        made = self._record(folder, self.table.start(folder), run, owner)
        write_json(folder / TAGS, made.leased(self.now.wall + lease_s, self.now))
        self.known[folder] = Known(folder, run, owner, self.now.up + lease_s)
        self._attend()
        return self.known[folder]

    def _record(self, folder: Path, one: Process, run: str, owner: str) -> Registration:
        return Registration(
            kind="job" if folder.parent.name == "jobs" else "endpoint",
            id=folder.name,
            run=run,
            call=f"{run}/{folder.name}/1",
            owner=owner,
            lease_until=self.now.wall,
            started=self.now.wall,
            process=Identity(pid=one.pid, ticks=one.ticks, boot=self.now.boot),
        )

    def _named(self, another: Known, whom: str) -> Process:
        other = self.table.lead(another.folder)
        of_another = other.one if other is not None else Process(2, 2)
        return {"init": Process(1, 1), "bystander": self.bystanders[0], "another": of_another}[whom]

    def _stop(self, one: Known) -> None:
        if (lead := self.table.lead(one.folder)) is not None:
            lead.stopped = True

    @rule(one=resources, lease_s=st.sampled_from([0.0, 30.0, 3600.0]), owner=st.sampled_from(OWNERS))
    def extend_or_hand_over(self, one: Known, lease_s: float, owner: str) -> None:
        """As a host does it when it is told to: it knows its own registration, and writes the record anew."""
        lead, tags = self.table.lead(one.folder), read_json(one.folder / TAGS, Registration)
        if lead is None or lead.stopped or tags is None or one.torn or one.forged:
            return
        named = tags.model_copy(update={"owner": owner})
        write_json(one.folder / TAGS, named.leased(self.now.wall + lease_s, self.now))
        one.lapses, one.owner = self.now.up + lease_s, owner
        self._watch()

    @rule(one=resources)
    def the_host_is_stopped(self, one: Known) -> None:
        self._stop(one)

    @rule(one=resources)
    def the_host_goes_on(self, one: Known) -> None:
        if (lead := self.table.lead(one.folder)) is not None:
            lead.stopped = False
            self._hosts()

    @rule(one=resources)
    def the_host_is_killed(self, one: Known) -> None:
        if (lead := self.table.lead(one.folder)) is not None:
            del self.table.alive[lead.one.pid]

    @rule(one=resources)
    def it_ends_by_itself(self, one: Known) -> None:
        lead = self.table.lead(one.folder)
        if lead is not None and not lead.stopped:
            self._end(lead)

    @rule()
    def the_watchdog_is_killed(self) -> None:
        self.watchdog = None
        for one in self.known.values():
            one.seen = False

    @rule()
    def a_later_command_comes(self) -> None:
        self._attend()

    @rule(by=st.sampled_from([-1e6, -100.0, 100.0, 1e6]))
    def the_clock_is_set(self, by: float) -> None:
        self.now = self.now._replace(wall=self.now.wall + by)

    @rule()
    def the_machine_is_started_anew(self) -> None:
        self.now = Instant(wall=self.now.wall + 60, up=5.0, boot=f"{self.now.boot}+")
        self.watchdog = None
        self.table.alive = {pid: each for pid, each in self.table.alive.items() if each.folder is None}

    @rule(seconds=st.sampled_from([1.0, 10.0, 45.0, 120.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(int(min(seconds, 20.0) / PERIOD_S)):
            step = seconds / min(seconds, 20.0) * PERIOD_S
            self.now = self.now._replace(wall=self.now.wall + step, up=self.now.up + step)
            self._hosts()
            self._watch()

    @rule(one=resources, how=st.sampled_from(["torn", "empty", "gone"]), stopped=st.booleans())
    def a_record_is_damaged(self, one: Known, how: str, stopped: bool) -> None:
        path = one.folder / TAGS
        if not path.exists():
            return
        if stopped:
            self._stop(one)
        if how == "gone":
            path.unlink()
        else:
            path.write_text('{"kind": "job", "id' if how == "torn" else "")
        one.torn = True
        self._hosts()

    @rule(one=resources, another=resources, whom=st.sampled_from(["init", "bystander", "another"]))
    def a_record_of_a_stopped_host_is_forged(self, one: Known, another: Known, whom: str) -> None:
        """It names a process that is not its own, and says that its lease has lapsed long ago."""
        tags = read_json(one.folder / TAGS, Registration)
        if tags is None or one is another:
            return
        self._stop(one)
        made = self._record(one.folder, self._named(another, whom), one.run, one.owner)
        write_json(one.folder / TAGS, made.leased(self.now.wall - 1e6, self.now))
        one.forged = True

    @rule(owner=st.sampled_from([None, *OWNERS]), run=st.sampled_from([None, "r1", "r2"]), release=st.booleans())
    def sweep(self, owner: str | None, run: str | None, release: bool) -> None:
        before = {pid: lead for pid, lead in self.table.alive.items() if lead.folder is not None}
        dry = sweep.look(self.inventory, whose=Whose(run=run, owner=owner))
        assert self.table.ended == [], "looking ends nothing"
        if not release:
            return
        found = sweep.release(self.inventory, whose=Whose(run=run, owner=owner))
        assert [each.owned.id for each in found] == [each.owned.id for each in dry]
        unowned = {each.owned.id for each in found if each.unowned}
        for lead in self.table.ended:
            assert lead.folder is not None, "nobody of no business of ours is ended"
            one = self.known[lead.folder]
            assert lead.folder.name in unowned
            assert one.torn or one.forged or one.lapses <= self.now.up + SLACK_S, f"{one} was needed"
            assert (run, owner) == (None, None) if one.torn else run in (None, one.run) and owner in (None, one.owner)
        assert set(before) - set(self.table.alive) == {lead.one.pid for lead in self.table.ended}
        self.table.ended.clear()
        assert all(each.released for each in found if each.unowned)
        left = sweep.look(self.inventory, whose=Whose(run=run, owner=owner))
        assert not [each for each in left if each.unowned], "what is released twice is released once"

    @invariant()
    def nobody_else_is_ever_ended(self) -> None:
        assert all(self.table.running(one) for one in self.bystanders)
        assert not self.table.ended, "only a sweep and the watchdog end anybody, and they account for it"

    @invariant()
    def everything_that_lives_is_listed(self) -> None:
        listed = {self._place(each): each for each in sweep.look(self.inventory)}
        assert not [place for place in listed if (place / OVER).exists()], "what is over owns nothing"
        for lead in self.table.alive.values():
            if lead.folder is not None and not (lead.folder / OVER).exists():
                found = listed[lead.folder]
                one = self.known[lead.folder]
                assert found.alive
                assert found.unowned or one.lapses > self.now.up - SLACK_S
                if not one.torn:
                    assert (found.owned.run, found.owned.owner) == (one.run, one.owner)

    def _place(self, found: Finding) -> Path:
        return self.runtime / f"{found.owned.kind}s" / found.owned.id

    def _attend(self) -> None:
        """As a command does: a watchdog where there is none and something may run."""
        if self.watchdog is None and self.table.alive:
            self.watchdog = Watchdog(self.runtime, clock=lambda: self.now, machine=self.table)
            self._watch()

    def _watch(self) -> None:
        """One look of the watchdog, and what law 4 says of it."""
        if self.watchdog is None:
            return
        for one in self.known.values():
            one.seen = one.seen or not (one.torn or one.forged)
        goes_on = self.watchdog.look()
        for lead in self.table.ended:
            assert lead.folder is not None
            assert self.known[lead.folder].lapses < self.now.up - MARGIN_S + SLACK_S, "the watchdog ended it early"
        self.table.ended.clear()
        for lead in self.table.alive.values():
            if lead.folder is not None and (one := self.known[lead.folder]).seen:
                assert one.lapses >= self.now.up - MARGIN_S - SLACK_S, f"{one} lives past its lease"
                assert goes_on, "it left while something was to be looked after"
        if not goes_on:
            self.watchdog = None

    def _hosts(self) -> None:
        """What every host that was not stopped does by itself."""
        for lead in tuple(self.table.alive.values()):
            if lead.folder is None or lead.stopped:
                continue
            one, tags = self.known[lead.folder], read_json(lead.folder / TAGS, Registration)
            lapsed = one.lapses <= self.now.up if tags is None else tags.term.left(self.now) <= 0
            if tags is not None and not one.forged:
                assert lapsed == (one.lapses <= self.now.up) or abs(one.lapses - self.now.up) < SLACK_S
            if lapsed or not (lead.folder / TAGS).exists():
                self._end(lead)

    def _end(self, lead: Lead) -> None:
        assert lead.folder is not None
        del self.table.alive[lead.one.pid]
        if lead.folder.parent.name == "endpoints":
            shutil.rmtree(lead.folder, ignore_errors=True)
        elif lead.folder.exists():
            (lead.folder / OVER).write_text("{}")

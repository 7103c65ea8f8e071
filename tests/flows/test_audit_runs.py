"""Runs are signed for however their activations end, and whatever is done to their stores is found."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from audited import Kept
from simulated import ACCURACY, LATENCY, Stage, classify, priced

from agent.audit.heads import Heads
from agent.audit.journal import head_of
from agent.documents import Pending, RunView
from agent.errors import Broken
from agent.record.store import Store
from tools.language import speaking

SIMPLE = classify(ACCURACY)


def asking(folder: Path) -> Stage:
    """A goal that is asked about before anything starts: nobody knows what it costs."""
    return Stage(folder, SIMPLE, world=priced(usd_per_hour=None))


def kept(stage: Stage, run: str) -> Kept:
    return Kept(stage.folder, run)


def marks(of: Kept) -> list[str]:
    return [head[0].mark for text in of.heads.texts(of.run) if (head := head_of(text)) is not None]


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A run that is over."""
    stage = Stage(tmp_path_factory.mktemp("over"), SIMPLE, world=priced(usd_per_hour=3.0))
    document = stage.ended()
    assert document.run.exit_code == 0
    return kept(stage, document.run.id)


@pytest.fixture
def mine(over: Kept, tmp_path: Path) -> Kept:
    """A copy of it to tamper with."""
    return over.copied(tmp_path / "copy")


def test_a_run_that_is_over_is_verified_to_its_last_line(over: Kept) -> None:
    found = over.audit()
    assert (found.ruling, found.complete, found.to, found.faults, found.notes) == (
        "verified",
        True,
        len(over.lines()),
        (),
        (),
    )
    assert found.said == f"verified to sequence {found.to}, complete"
    assert (marks(over)[0], marks(over)[-1]) == ("claimed", "ended")


def test_a_run_that_waits_for_a_person_is_open_and_signed_again_when_it_goes_on(tmp_path: Path) -> None:
    stage = asking(tmp_path)
    session, document = stage.run()
    of = kept(stage, document.run.id)
    waiting = of.audit()
    assert (waiting.ruling, waiting.complete, waiting.unsigned) == ("verified", False, None)
    assert waiting.said == f"verified to sequence {waiting.to}, open since {waiting.since}"
    session.drive(document.run.id, ask=lambda _: True)
    session.close()
    after = of.audit()
    assert (after.ruling, after.complete, after.notes) == ("verified", True, ())
    assert after.heads > waiting.heads


class PulledPlug(Exception):
    """Something that no code expects."""


def _interrupt(_: object) -> bool:
    raise KeyboardInterrupt


def _fail(_: object) -> bool:
    raise PulledPlug


@pytest.mark.parametrize(("ask", "error"), [(_interrupt, KeyboardInterrupt), (_fail, PulledPlug)])
def test_an_activation_that_ends_by_an_exception_is_signed_as_ended(
    tmp_path: Path, ask: Callable[[Pending], bool], error: type[BaseException]
) -> None:
    stage = asking(tmp_path)
    with stage.begun(accept=False) as (session, run):
        with pytest.raises(error):
            session.drive(run, ask=ask)
        of = kept(stage, run)
        found = of.audit()
        assert (found.ruling, found.unsigned, marks(of)[-1]) == ("verified", None, "ended")
        session.drive(run, ask=lambda _: True)
        assert of.audit().complete


def _killed_while_it_drives(stage: Stage, run: str) -> None:
    """A process that takes the run up and dies at its second commit."""
    seen = []

    def die(view: RunView) -> None:
        seen.append(view)
        if len(seen) > 1:
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        try:
            with stage.session() as session:
                session.drive(run, watch=die)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_a_killed_activation_leaves_the_run_open_since_it_was_taken_up_and_a_restart_signs_again(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, SIMPLE)
    with stage.begun() as (session, run):
        session.close()
    _killed_while_it_drives(stage, run)
    of = kept(stage, run)
    killed = of.audit()
    assert (killed.ruling, killed.complete, marks(of)[-1]) == ("verified", False, "claimed")
    assert killed.unsigned is not None
    assert (killed.unsigned.first, killed.unsigned.last) == (killed.to + 1, len(of.lines()))
    assert killed.notes[0].startswith(f"unsigned since {killed.to + 1}")
    with stage.session() as session:
        session.drive(run)
    after = of.audit()
    assert (after.ruling, after.complete, after.unsigned) == ("verified", True, None)
    assert after.notes[0].startswith(f"an activation was cut off: its lines {killed.to + 1} to")


def test_heads_and_key_lie_outside_the_home(over: Kept) -> None:
    assert not over.log.is_relative_to(over.home)
    assert sorted(p.name for p in (over.folder / "runtime" / "audit").iterdir()) == ["heads", "key"]


def _overwrite(kept: Kept) -> None:
    for path in kept.home.glob("goalkeeper.db*"):
        path.write_bytes(b"no database " * 400)


TAMPERINGS: dict[str, tuple[Callable[[Kept], None], str]] = {
    "a body": (lambda k: k.sql("UPDATE journal SET body = '{}' WHERE seq = 5"), "line 5 has been altered"),
    "a number in a body": (
        lambda k: k.sql("UPDATE journal SET body = replace(body, '0.9', '0.5') WHERE kind = 'contract'"),
        "line 2 has been altered",
    ),
    "a time": (lambda k: k.sql("UPDATE journal SET at = at + 1 WHERE seq = 5"), "line 5 has been altered"),
    "a hash": (lambda k: k.sql("UPDATE journal SET hash = 'abc' WHERE seq = 5"), "line 5 has been altered"),
    "a body of bytes": (
        lambda k: k.sql("UPDATE journal SET body = x'FFFE' WHERE seq = 5"),
        "line 5 of the journal cannot be read",
    ),
    "a body that is no UTF-8": (
        lambda k: k.sql("UPDATE journal SET body = CAST(x'7BFF7D' AS TEXT) WHERE seq = 5"),
        "line 5 has been altered",
    ),
    "a line removed": (lambda k: k.sql("DELETE FROM journal WHERE seq = 5"), "lines 5 to 5 are missing"),
    "lines swapped": (
        lambda k: (
            k.sql("UPDATE journal SET seq = CASE seq WHEN 5 THEN -6 ELSE -5 END WHERE seq IN (5, 6)")
            or k.sql("UPDATE journal SET seq = -seq WHERE seq < 0")
        ),
        "line 5 has been altered",
    ),
    "the end cut off": (
        lambda k: k.sql("DELETE FROM journal WHERE seq > 9"),
        "the journal ends at line 9: head",
    ),
    "the end cut off and the run told so": (
        lambda k: k.rewrite(k.lines()[:9]),
        "the journal ends at line 9: head",
    ),
    "everything removed": (lambda k: k.sql("DELETE FROM journal"), "the journal ends at line 0: head 2 was signed"),
    "a line altered and all hashed anew": (
        lambda k: k.rewrite([(s, a, n, b.replace("approved", "APPROVED"), h) for s, a, n, b, h in k.lines()]),
        "are not those that head",
    ),
    "a line planted and all hashed anew": (
        lambda k: k.rewrite([*k.lines()[:5], (0, 1.0, "answer", '{"who":"ann"}', ""), *k.lines()[5:]]),
        "are not those that head",
    ),
    "a line planted after the end": (
        lambda k: k.rewrite([*k.lines(), (0, 1.0, "answer", '{"who":"ann"}', "")]),
        "which let the run go: later heads are missing",
    ),
    "the run's row removed": (lambda k: k.sql("DELETE FROM journal WHERE run = :run"), "the journal ends at line 0"),
    "the row says another end": (
        lambda k: k.sql("UPDATE runs SET head_seq = head_seq - 1"),
        "the store says that the journal ends at line",
    ),
    "the store removed": (lambda k: (k.home / "goalkeeper.db").unlink(), "the journal ends at line 0"),
    "the store overwritten": (_overwrite, "it cannot be read: file is not a database"),
    "a table removed": (lambda k: k.sql("ALTER TABLE ledger RENAME TO gone"), "it cannot be read: no such table"),
    "a head cut off": (
        lambda k: k.log.write_text("\n".join(k.log.read_text().split("\n")[:2]) + "\n") and None,
        "which let the run go: later heads are missing",
    ),
    "a head altered": (
        lambda k: k.log.write_text(k.log.read_text().replace('"mark":"ended"', '"mark":"claimed"')) and None,
        "the signature of head 2 is not genuine",
    ),
    "the public key exchanged": (
        lambda k: (k.heads.folder / "key" / "public").write_text("ab" * 32) and None,
        "head 1 was signed with key",
    ),
    "the public key removed": (
        lambda k: (k.heads.folder / "key" / "public").unlink(),
        "there are signed heads and no public key",
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_whatever_is_done_to_a_run_that_is_over_is_found(mine: Kept, what: str) -> None:
    deed, fault = TAMPERINGS[what]
    deed(mine)
    found = mine.audit()
    assert (found.ruling, found.exit_code) == ("not verified", 1)
    assert any(fault in told for told in found.faults), found.faults


def test_without_its_heads_nothing_is_said_of_a_run(mine: Kept) -> None:
    mine.log.unlink()
    found = mine.audit()
    assert (found.ruling, found.exit_code, found.to, found.complete) == ("no head", 4, 0, False)
    assert found.said == f"there is no signed head: nothing can be said of the {found.lines} lines"


def test_another_runs_record_does_not_serve(mine: Kept, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "other", classify(ACCURACY, budget_usd=3.0))
    other = kept(stage, stage.ended().run.id)
    mine.rewrite(other.lines())
    assert "are not those that head" in mine.audit().faults[0]
    shutil.copy(other.log, mine.log)
    assert "head 1 was signed with key" in mine.audit().faults[0]
    shutil.rmtree(mine.heads.folder / "key")
    shutil.copytree(other.heads.folder / "key", mine.heads.folder / "key")
    assert f"head 1 is of run {other.run}" in mine.audit().faults


def test_a_key_given_from_elsewhere_is_believed_rather_than_the_one_that_lies_there(mine: Kept) -> None:
    public = bytes.fromhex((mine.heads.folder / "key" / "public").read_text())
    assert mine.audit(given=public).ruling == "verified"
    found = mine.audit(given=b"\x09" * 32)
    assert "head 1 was signed with key" in found.faults[0]


def test_money_that_the_journal_knows_nothing_of_is_found(mine: Kept) -> None:
    mine.sql("UPDATE account SET settled = settled + 5 WHERE kind = 'run' AND resource = 'usd_micro'")
    found = mine.audit()
    assert found.exit_code == 1
    assert [f.split(" has ")[0] for f in found.faults] == ["the account"]
    mine.sql("DROP TRIGGER reserved_for_good")
    mine.sql("DROP TRIGGER settled_once")
    mine.sql("UPDATE ledger SET reserved = reserved + 7, settled = settled + 7 WHERE resource = 'usd_micro'")
    assert [f.split(" has ")[0] for f in mine.audit().faults] == ["the ledger", "the account"]


def test_an_older_copy_of_the_store_is_found_and_not_gone_on_with(tmp_path: Path) -> None:
    stage = asking(tmp_path / "stage")
    session, document = stage.run()
    session.close()
    shutil.copytree(stage.settings.home, tmp_path / "older")
    with stage.session() as session:
        session.drive(document.run.id, ask=lambda _: True)
    effects = stage.kinds()
    shutil.rmtree(stage.settings.home)
    shutil.copytree(tmp_path / "older", stage.settings.home)
    found = kept(stage, document.run.id).audit()
    assert found.exit_code == 1
    assert "the journal ends at line" in found.faults[0]
    with stage.session() as session, pytest.raises(Broken, match="it was altered, or is an older copy"):
        session.drive(document.run.id, ask=lambda _: True)
    assert stage.kinds() == effects
    store = Store(stage.settings.home / "goalkeeper.db")
    assert store.row(document.run.id).owner is None
    store.close()


def test_a_journal_that_was_altered_and_hashed_anew_is_not_gone_on_with(tmp_path: Path) -> None:
    stage = asking(tmp_path)
    session, document = stage.run()
    session.close()
    of = kept(stage, document.run.id)
    of.rewrite([(s, a, n, b.replace("accuracy", "f1"), h) for s, a, n, b, h in of.lines()])
    with stage.session() as session, pytest.raises(Broken, match="it was altered, or is an older copy"):
        session.drive(document.run.id, ask=lambda _: True)
    assert stage.calls() == []


def test_heads_that_cannot_be_signed_stop_no_run_and_its_report_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SIMPLE)
    (tmp_path / "file").write_text("")
    stage.settings = stage.settings.model_copy(update={"audit": tmp_path / "file" / "audit"})
    document = stage.ended()
    assert document.run.exit_code == 0
    (finding,) = [f for f in document.run.findings if "could not be signed" in f]
    assert finding.startswith("the head of the journal could not be signed: the signing key cannot be used:")
    report = (stage.settings.home / "runs" / document.run.id / "report.md").read_text()
    assert "could not be signed" in report
    found = Kept(tmp_path, document.run.id).audit()
    assert found.exit_code == 4


def test_a_head_that_only_the_end_could_not_sign_is_told_by_the_one_who_drove(tmp_path: Path) -> None:
    stage = asking(tmp_path)
    key = tmp_path / "runtime" / "audit" / "key" / "private"
    spoilt = []

    def ask(_: Pending) -> bool:
        key.chmod(0o644)
        spoilt.append(True)
        return True

    document = stage.ended(accept=False, ask=ask)
    assert spoilt
    assert any("must be yours alone" in finding for finding in document.run.findings)
    found = kept(stage, document.run.id).audit()
    assert (found.ruling, found.complete) == ("verified", False)
    assert found.unsigned is not None


def test_lines_planted_while_nobody_drove_are_told_in_the_report_and_found(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SIMPLE)
    with stage.begun() as (session, run):
        session.close()
    of = kept(stage, run)
    of.rewrite(
        [*of.lines(), (0, of.lines()[-1][1], "diagnosis", '{"part":null,"step":null,"cause":"unknown","text":""}', "")]
    )
    with stage.session() as session:
        document = session.drive(run)
    assert any("were not signed for when they were written" in f for f in document.run.findings)
    found = of.audit()
    assert (found.exit_code, found.faults) == (1, ("lines 5 to 5 were added after head 2 had let the run go",))


def test_two_runs_of_one_user_keep_their_heads_apart(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SIMPLE)
    first, second = stage.ended().run.id, stage.ended().run.id
    assert Heads(stage.settings.audit_folder).runs() == tuple(sorted((first, second)))
    assert kept(stage, first).audit().complete
    assert kept(stage, second).audit().complete


def test_a_run_that_is_being_driven_is_verified_at_any_moment(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, LATENCY, rollout="canary"))
    seen: list[str] = []
    with stage.begun() as (session, run):

        def watch(_: RunView) -> None:
            if len(seen) < 20:
                seen.append(kept(stage, run).audit().ruling)

        session.drive(run, watch=watch)
    assert set(seen) == {"verified"}
    assert marks(kept(stage, run)).count("reached") > 2


def test_what_is_signed_is_what_the_driver_wrote_and_not_what_the_store_says(tmp_path: Path) -> None:
    """Between the last commit and the last head, somebody puts another last line in place, well chained."""
    stage = Stage(tmp_path, SIMPLE)
    with stage.begun() as (session, run):
        of = kept(stage, run)

        def watch(view: RunView) -> None:
            if view.status == "done":
                *before, (seq, at, kind, body, old) = of.lines()
                of.rewrite([*before, (seq, at, kind, body.replace('"MET"', '"NOT MET"'), old)])

        session.drive(run, watch=watch)
    found = of.audit()
    assert (found.ruling, found.complete) == ("not verified", False)
    assert "are not those that head" in found.faults[0]


def test_what_is_found_is_said_in_the_language_of_the_goal(mine: Kept) -> None:
    mine.sql("DELETE FROM journal WHERE seq = 5")
    with speaking("zh"):
        assert mine.audit().faults[0] == "缺少第 5 至 5 行"

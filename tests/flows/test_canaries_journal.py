"""What is written down of a run holds no secret, and is what the run goes on with: before a restart and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.book import Book
from agent.clock import FixedClock
from agent.contract import Contract, Part, Refusal
from agent.errors import Broken
from agent.goal import Goal
from agent.lines import Decided, Diagnosed, Ended, Stated, Understood, Verdict
from agent.record.store import Store
from agent.state import Run, fold
from tools.inert import templates
from tools.record import Json
from tools.redact import Redaction
from tools.tool import Call

KNOWN = "canary-env-4f9a7c21e8"
SAID = "canaryOut91bc"
FORM = "ghp_CANARYdata0123456789abcd"
CANARIES = (KNOWN, SAID, FORM)
EVERYTHING = f"{KNOWN} password={SAID} {FORM}"
ARGS: Json = {"command": ["python", "train.py", "--token", SAID], "data": "jobs/x", "folder": f"/tmp/{FORM}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "goalkeeper.db"


def opened(file: Path) -> tuple[Store, Book]:
    redaction = Redaction({"MY_API_KEY": KNOWN})
    store = Store(file, redaction=redaction)
    store.create(run="r", goal=EVERYTHING, started=0.0)
    epoch = store.claim("r", owner="me", gone=())
    return store, Book(store=store, run=Run(id="r"), epoch=epoch, clock=FixedClock(1.0), redaction=redaction)


def bytes_of(file: Path) -> bytes:
    return b"".join(p.read_bytes() for p in file.parent.glob("goalkeeper.db*"))


def call() -> Call:
    return Call.of(run="r", step="train", attempt=1, tool="launch_training", args=ARGS, limit_s=60.0, owner="ada")


def test_no_line_of_a_journal_holds_a_secret_and_a_restart_finds_the_same_run(file: Path) -> None:
    store, book = opened(file)
    goal = Goal.of(EVERYTHING, source=f"cli:{FORM}")
    common = {"accept": False, "owner": "ada", "backend": "sim", "brain": "rules", "folder": "/tmp"}
    evidence = (f"epoch 1 {EVERYTHING}", "-----BEGIN PRIVATE KEY-----", f"MII{SAID}", "-----END PRIVATE KEY-----")
    verdict = Verdict(
        call=call(), ruling="refused", policies=("secrets",), reasons=(EVERYTHING,), facts={"x": EVERYTHING}
    )
    book.add(Stated(goal=goal, plan_now="2026-01-01T00:00:00Z", **common))  # type: ignore[arg-type]
    book.add(Understood(contract=None, refusal=Refusal(reason=EVERYTHING, rule="secrets")))
    book.add(verdict)
    book.add(Decided(action="finish", why=EVERYTHING))
    book.add(Diagnosed(part=None, step=None, cause="unknown", text=EVERYTHING, lines=templates([EVERYTHING])))
    claimed = {"claimed": {"token": SAID, "note": EVERYTHING, FORM: 1}}
    told = {"result": claimed, "message": EVERYTHING, "evidence": evidence, "faults": evidence}
    book.add(Ended.model_validate({"call": call().id, "phase": "running", **told}))
    book.commit()
    store.post(run="r", kind="approve", body={"pending": EVERYTHING, "who": "ada"}, at=2.0, dedupe="x")
    assert not [c for c in CANARIES if c.encode() in bytes_of(file)]
    assert b"[withheld:MY_API_KEY]" in bytes_of(file)
    again = fold("r", Store(file).lines("r"))
    assert again == book.run
    assert store.rows()[0].goal == "[withheld:MY_API_KEY] password=[withheld:secret] [withheld:secret]"


def test_what_holds_no_secret_is_written_as_it_is_and_its_call_stays_sealed(file: Path) -> None:
    store, book = opened(file)
    sealed = Call.of(
        run="r", step="s", attempt=1, tool="prepare_data", args={"key": "jobs/x"}, limit_s=1.0, owner="ada"
    )
    verdict = Verdict(call=sealed, ruling="refused", policies=("no_secrets",), reasons=(), facts={"secrets": []})
    book.add(verdict)
    book.commit()
    assert fold("r", store.lines("r")).calls[sealed.id].verdict == verdict
    assert sealed.sealed


def test_a_call_that_was_approved_with_a_secret_all_the_same_is_not_the_one_that_was_approved(file: Path) -> None:
    _, book = opened(file)
    book.add(Verdict(call=call(), ruling="approved", policies=(), reasons=(), facts={}))
    journalled = book.run.calls[call().id].call
    assert call().sealed
    assert not journalled.sealed  # the dispatcher refuses it


def test_a_secret_where_only_a_known_word_can_stand_ends_the_run_and_is_not_written(file: Path) -> None:
    word = "text-classification"
    redaction = Redaction({"MY_TOKEN": word})
    store = Store(file, redaction=redaction)
    store.create(run="r", goal="g", started=0.0)
    epoch = store.claim("r", owner="me", gone=())
    book = Book(store=store, run=Run(id="r"), epoch=epoch, clock=FixedClock(1.0), redaction=redaction)
    with pytest.raises(Broken, match="a secret stands in the contract of r"):
        book.add(Understood(contract=Contract(parts=(Part(name="m", task="text-classification"),))))
    assert (book.run.seq, book.open) == (0, False)
    assert word.encode() not in bytes_of(file)

"""Keys and heads on the disk: made once, added to by many, whole or not at all, and usable by their owner alone."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from agent.audit.heads import Heads, Stand
from agent.audit.journal import Mark, head_of, signed
from agent.audit.key import Unsignable, fast, public_file, public_key, signer, usable
from agent.errors import Broken

HASHES = tuple(f"{n:064x}" for n in range(1, 100))


def stand(seq: int, epoch: int = 1, *, run: str = "r", complete: bool = False) -> Stand:
    return Stand(run=run, epoch=epoch, seq=seq, hash=HASHES[seq - 1] if seq else "", complete=complete)


def sign(heads: Heads, seq: int, mark: Mark = "ended", epoch: int = 1, *, run: str = "r") -> None:
    heads.sign(stand(seq, epoch, run=run), mark, at=1_772_442_000.0)


def whole(heads: Heads, run: str = "r") -> list[tuple[int, str]]:
    """(sequence, mark) of every head, after the log was found in order."""
    public = public_key(heads.folder)
    assert public is not None
    found, wrong = signed(heads.texts(run), run=run, public=public, genuine=fast)
    assert not wrong
    return [(head.seq, head.mark) for head in found]


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    return Heads(tmp_path / "state" / "audit")


def test_every_head_names_the_one_before_it_and_says_whether_the_run_is_over(heads: Heads) -> None:
    sign(heads, 0, "claimed")
    sign(heads, 4)
    heads.sign(stand(9, 2, complete=True), "ended", at=1_772_442_000.0)
    assert whole(heads) == [(0, "claimed"), (4, "ended"), (9, "ended")]
    last = head_of(heads.texts("r")[-1])
    assert last is not None
    assert (last[0].state, last[0].number, last[0].epoch) == ("complete", 3, 2)
    assert last[0].at == "2026-03-02T09:00:00+00:00"
    assert heads.runs() == ("r",)


def test_nobody_else_may_read_key_or_heads(heads: Heads) -> None:
    sign(heads, 1)
    for path in (heads.folder, *heads.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_key_is_made_once_however_many_begin_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: signer(tmp_path / "audit").public, range(24)))
    assert found == {public_key(tmp_path / "audit")}
    assert [p.name for p in (tmp_path / "audit").iterdir()] == ["key"]


def _many(folder: Path, epoch: int) -> None:
    for seq in range(20):
        sign(Heads(folder), seq, "claimed", epoch)


def test_two_processes_that_sign_at_once_leave_one_unbroken_log(heads: Heads) -> None:
    """Of one run only the owner signs; but a process that lost a run may find that out late."""
    forks = [get_context("fork").Process(target=_many, args=(heads.folder, 1)) for _ in range(2)]
    for fork in forks:
        fork.start()
    for fork in forks:
        fork.join()
        assert fork.exitcode == 0
    texts = heads.texts("r")
    assert len(texts) == 40
    found = [head_of(text) for text in texts]
    assert [h[0].number for h in found if h is not None] == list(range(1, 41))


def test_a_process_that_has_lost_the_run_adds_nothing(heads: Heads) -> None:
    sign(heads, 3, "claimed", 2)
    sign(heads, 5, "ended", 1)
    assert whole(heads) == [(3, "claimed")]


def test_an_activation_that_reached_nothing_new_signs_nothing(heads: Heads) -> None:
    sign(heads, 3, "claimed")
    sign(heads, 3, "reached")
    sign(heads, 4, "reached")
    sign(heads, 4, "ended")
    assert whole(heads) == [(3, "claimed"), (4, "reached"), (4, "ended")]


def test_what_a_process_that_died_wrote_of_a_head_does_not_count_and_is_taken_away(heads: Heads) -> None:
    sign(heads, 3, "claimed")
    with heads.path("r").open("ab") as file:
        file.write(b'{"head":{"at":"2026')
    assert len(heads.texts("r")) == 1
    sign(heads, 4)
    assert whole(heads) == [(3, "claimed"), (4, "ended")]


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file grows beyond `room` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("beyond", [0, 1, 100])
def test_on_a_full_disk_no_half_head_is_left(heads: Heads, beyond: int) -> None:
    sign(heads, 3, "claimed")
    before = heads.path("r").read_bytes()
    with full_disk(len(before) + beyond), pytest.raises(OSError, match=r"too large|part of the head"):
        sign(heads, 4)
    assert heads.path("r").read_bytes() == before
    sign(heads, 4)
    assert whole(heads) == [(3, "claimed"), (4, "ended")]


def test_on_a_full_disk_no_half_key_is_left(heads: Heads) -> None:
    with full_disk(1), pytest.raises(Unsignable, match="the signing key cannot be used"):
        sign(heads, 1)
    assert list(heads.folder.iterdir()) == []
    sign(heads, 1)


def _mode(mode: int) -> Callable[[Path], None]:
    return lambda folder: (folder / "key" / "private").chmod(mode)


def _gone(folder: Path) -> None:
    (folder / "key" / "private").unlink()


def _short(folder: Path) -> None:
    (folder / "key" / "private").write_bytes(b"short")


def _unlike(folder: Path) -> None:
    public_file(folder).write_text("ab" * 32)


def _garbled(folder: Path) -> None:
    public_file(folder).write_bytes(b"\xff\xfe")


def _open_folder(folder: Path) -> None:
    (folder / "key").chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_mode(0o640), "must be yours alone: chmod go="),
        (_mode(0o604), "must be yours alone: chmod go="),
        (_open_folder, "must be yours alone: chmod go="),
        (_gone, "the signing key cannot be used"),
        (_short, "holds no signing key"),
        (_unlike, "does not belong to the private key"),
        (_garbled, "the public key cannot be read"),
    ],
    ids=["group reads", "others read", "folder open", "gone", "short", "another public key", "no public key"],
)
def test_a_key_that_is_not_in_order_signs_nothing_and_is_not_replaced(
    heads: Heads, spoil: Callable[[Path], None], why: str
) -> None:
    sign(heads, 1)
    before = heads.texts("r")
    spoil(heads.folder)
    with pytest.raises(Unsignable, match=why):
        sign(heads, 2)
    with pytest.raises(Unsignable):
        usable(heads.folder)
    assert heads.texts("r") == before


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    heads = Heads(tmp_path / "file" / "audit")
    with pytest.raises(Unsignable):
        sign(heads, 1)
    with pytest.raises(Unsignable, match="no folder that you may write to"):
        usable(heads.folder)
    assert heads.texts("r") == ()


def test_looking_whether_it_is_usable_makes_nothing(heads: Heads) -> None:
    usable(heads.folder)
    assert not heads.folder.exists()


def _flip(text: str) -> str:
    return text.replace('"seq":2', '"seq":3')


def test_heads_that_were_altered_are_not_built_upon(heads: Heads) -> None:
    sign(heads, 2)
    heads.path("r").write_text(_flip(heads.path("r").read_text()))
    with pytest.raises(Unsignable, match="were altered, or are not this user's"):
        sign(heads, 3)
    heads.path("r").write_text("nothing of the kind\n")
    with pytest.raises(Unsignable, match="were altered"):
        sign(heads, 3)


def test_a_log_that_is_a_link_is_not_followed(heads: Heads, tmp_path: Path) -> None:
    sign(heads, 1, run="other")
    heads.path("r").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        sign(heads, 1)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("run", ["", ".", "..", "../r", "a/b", "a\0b", "-r", "r" * 200, "r\n"])
def test_no_name_of_a_run_leads_out_of_the_folder(heads: Heads, run: str) -> None:
    with pytest.raises(Unsignable, match="cannot be the name of a run"):
        sign(heads, 1, run=run)
    assert heads.texts(run) == ()


def test_a_process_that_was_stopped_while_it_signed_holds_up_nobody_for_good(tmp_path: Path) -> None:
    heads = Heads(tmp_path, wait_s=0.05)
    sign(heads, 1)
    held = os.open(heads.path("r"), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(Unsignable, match="another process holds"):
        sign(heads, 2)
    os.close(held)
    sign(heads, 2)
    assert whole(heads) == [(1, "ended"), (2, "ended")]


def test_a_journal_that_goes_on_from_its_last_head_is_taken_up(heads: Heads) -> None:
    assert heads.check("r", HASHES[:5], epoch=1) == ""
    sign(heads, 3, "claimed", 1)
    assert heads.check("r", HASHES[:5], epoch=2) == ""
    sign(heads, 5, "ended", 2)
    assert heads.check("r", HASHES[:5], epoch=3) == ""


def test_lines_after_an_activation_that_was_let_go_are_told(heads: Heads) -> None:
    sign(heads, 3, "ended", 1)
    told = heads.check("r", HASHES[:5], epoch=2)
    assert told == "lines 4 to 5 of the journal were not signed for when they were written"


@pytest.mark.parametrize(
    ("hashes", "epoch"),
    [(HASHES[:4], 3), ((), 3), ((*HASHES[:4], HASHES[7], *HASHES[5:8]), 3), (HASHES[:5], 2), (HASHES[:5], 1)],
    ids=["shorter", "empty", "altered", "an older store", "a much older store"],
)
def test_a_journal_that_is_not_what_was_signed_is_not_taken_up(
    heads: Heads, hashes: tuple[str, ...], epoch: int
) -> None:
    sign(heads, 5, "ended", 2)
    with pytest.raises(Broken, match=r"the journal of r is not what was signed at line 5, 2026-03-02T09:00:00"):
        heads.check("r", hashes, epoch=epoch)

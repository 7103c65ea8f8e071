"""Conversations are kept in order, chained, and without secrets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import Broken
from agent.record.store import Store
from tools.redact import Redaction

NOW = 1_767_225_600.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "goalkeeper.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store(file, redaction=Redaction({"KEY": "hunter2-hunter2"}))
    yield opened
    opened.close()


def test_turns_come_back_in_order_and_conversations_newest_first(store: Store) -> None:
    store.say("a", "person", {"text": "a goal"}, at=NOW)
    store.say("b", "person", {"text": "另一个目标"}, at=NOW + 1)
    assert store.say("a", "agent", {"text": "an answer"}, at=NOW + 2) == 2
    assert [(t.seq, t.kind, t.body["text"]) for t in store.turns("a")] == [
        (1, "person", "a goal"),
        (2, "agent", "an answer"),
    ]
    assert store.conversations() == [("a", NOW + 2, 2), ("b", NOW + 1, 1)]
    assert store.turns("nobody") == []


def test_a_secret_that_was_typed_is_not_kept(store: Store, file: Path) -> None:
    store.say("a", "person", {"text": "the key is hunter2-hunter2"}, at=NOW)
    assert "hunter2" not in str(store.turns("a")[0].body)
    assert all(b"hunter2" not in path.read_bytes() for path in file.parent.iterdir())


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE turns SET body = '{}' WHERE seq = 1",
        "DELETE FROM turns WHERE seq = 1",
        "UPDATE turns SET kind = 'agent' WHERE seq = 2",
    ],
)
def test_a_conversation_that_was_altered_is_not_read(store: Store, file: Path, harm: str) -> None:
    for text in ("one", "two"):
        store.say("a", "person", {"text": text}, at=NOW)
    with sqlite3.connect(file) as db:
        db.execute(harm)
    db.close()
    with pytest.raises(Broken, match="conversation of a has been altered"):
        store.turns("a")


def test_what_finished_work_took_is_kept_once_and_read_newest_first(store: Store) -> None:
    store.remember("old", [("c1", {"seconds": 1})], at=NOW)
    store.remember("new", [("c1", {"seconds": 2}), ("c2", {"seconds": 3})], at=NOW + 1)
    store.remember("new", [("c2", {"seconds": 4})], at=NOW + 1)
    assert store.remembered(2) == [{"seconds": 2}, {"seconds": 4}]
    assert store.remembered(9) == [{"seconds": 2}, {"seconds": 4}, {"seconds": 1}]

"""Attacks as data: a sample of each channel in every run of the tests, all of them under `slow`."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from evals.attacks import __main__ as command
from evals.attacks.deliver import WAYS
from evals.attacks.records import CHANNELS, FED, Attack, Channel, CorpusError, load, spelled
from evals.attacks.runner import Result, corpora, judge

ATTACKS = tuple(attack for path in corpora() for attack in load(path))
SEED = 5


def said(results: list[Result]) -> str:
    return "\n".join(f"{r.id}: {r.breaches} {r.broken}" for r in results)


@pytest.mark.parametrize("channel", [c for c in CHANNELS if c != "program"])
def test_a_sample_of_each_channel_is_held_and_its_twins_work(channel: Channel) -> None:
    mine = [a for a in ATTACKS if a.channel == channel]
    drawn = random.Random(SEED).sample(mine, 1)
    wrong = [r for r in judge(drawn) if not r.held or r.works is not True]
    assert not wrong, said(wrong)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("channel", CHANNELS)
def test_every_attack_is_held_and_every_twin_works(channel: Channel) -> None:
    wrong = [r for r in judge(a for a in ATTACKS if a.channel == channel) if not r.held or r.works is not True]
    assert not wrong, said(wrong)


def test_the_corpora_hold_two_hundred_attacks_over_every_channel_in_both_languages() -> None:
    assert len(ATTACKS) >= 200
    assert {a.channel for a in ATTACKS} == set(CHANNELS) == {*WAYS, "program"}
    assert {a.language for a in ATTACKS} >= {"en", "zh"}
    assert min(Counter(a.channel for a in ATTACKS).values()) >= 10


def test_every_attack_says_what_it_wants_and_has_a_twin_that_differs() -> None:
    assert not [a.id for a in ATTACKS if not a.wants or not a.style or a.twin is None or a.twin == a.payload]
    assert not [a.id for a in ATTACKS if a.unknown]
    assert {a.channel for a in ATTACKS if a.fed} == set(FED)


def test_no_two_attacks_of_a_channel_differ_by_a_word() -> None:
    alike = [
        (one.id, other.id)
        for channel in CHANNELS
        for one, other in combinations([a for a in ATTACKS if a.channel == channel], 2)
        if words(one) == words(other) or (len(words(one) ^ words(other)) <= 2 and len(words(one)) > 12)
    ]
    assert not alike


def words(attack: Attack) -> frozenset[str]:
    """Of the payload; of a goal without what every goal of its corpus says, and signs where there are no words."""
    text = json.dumps(attack.payload, ensure_ascii=False)
    return frozenset(re.findall(r"\w+|[^\w\s]", text))


def write(folder: Path, *attacks: object, name: str = "theirs.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(a) for a in attacks))
    return path


def test_a_corpus_from_elsewhere_needs_a_channel_and_a_text_and_may_name_them_its_own_way(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"channel": "pod logs", "text": "obey", "benign": "fine", "goal": "end it", "severity": 9},
        {"channel": "dataset-text", "payload": "%%3*ab%%", "id": "mine"},
    )
    first, second = load(path)
    assert (first.id, first.channel, first.payload, first.twin, first.wants, first.unknown) == (
        *("theirs.jsonl:1", "job_log", "obey", "fine", "end it"),
        ("severity",),
    )
    assert (second.id, second.channel, spelled(second.payload), second.twin) == ("mine", "data_cell", "ababab", None)


def test_every_fault_of_a_corpus_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, {"channel": "smell", "payload": "x"}, {"channel": "log"}, {"channel": "log", "payload": 1})
    with pytest.raises(CorpusError) as caught:
        load(path)
    assert [f.split(":")[1].split()[0] for f in caught.value.faults] == ["1", "2"]
    with pytest.raises(CorpusError, match=r"theirs\.jsonl"):
        load(tmp_path / "nowhere" / "theirs.jsonl")


def test_the_command_runs_a_corpus_and_ends_with_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {"channel": "log", "payload": "release payments", "twin": "loss 0.3", "id": "held"}
    broken = held | {"id": "broken", "shows": "what nobody ever said"}
    assert command.main(["--corpus", str(write(tmp_path, held)), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["channels"] == {"job_log": {"attacks": 1, "held": 1, "twins": 1, "working": 1}}
    assert command.main(["--corpus", str(write(tmp_path, broken))]) == 1
    assert "TWIN nobody reads 'what nobody ever said'" in capsys.readouterr().out
    assert command.main(["--corpus", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err

"""What signed heads say of a journal: what was signed and no more, whatever somebody without the key does to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnessed import FOREIGN, KEY, Lines, Texts, Witnessed, finished, hashed, verdict

from agent.audit.journal import Line, chain, head_line, head_of, key_id, line_of, message
from agent.record import store


def test_a_finished_run_is_verified_to_its_last_line_and_complete() -> None:
    found = finished().judged()
    assert (found.ruling, found.to, found.complete, found.exit_code) == ("verified", 10, True, 0)
    assert str(found.headline) == "verified to sequence 10, complete"
    assert (found.faults, found.notes, found.unsigned, found.heads) == ((), (), None, 6)


def test_a_run_that_waits_is_verified_and_open_since_it_was_let_go() -> None:
    run = Witnessed()
    run.activation("goal", "plan")
    found = run.judged()
    assert str(found.headline) == "verified to sequence 2, open since 2026-03-02T09:00:01+00:00"
    assert (found.complete, found.exit_code, found.notes) == (False, 0, ())


def test_an_activation_that_was_killed_leaves_the_run_open_since_it_was_taken_up() -> None:
    run = Witnessed()
    run.activation("goal", "plan")
    run.activation("verdict", "intent", killed=True)
    found = run.judged()
    assert str(found.headline) == "verified to sequence 2, open since 2026-03-02T09:00:02+00:00"
    assert (found.unsigned, found.exit_code) == ((3, 4), 0)
    assert [str(n) for n in found.notes] == ["unsigned since 3: nothing is said of lines 3 to 4"]


def test_a_restart_signs_again_and_the_lines_of_the_killed_activation_are_named() -> None:
    run = Witnessed()
    run.activation("goal", "plan")
    run.activation("verdict", "intent", killed=True)
    run.activation("outcome", "finish")
    found = run.judged()
    assert (found.to, found.complete, found.exit_code) == (6, True, 0)
    assert [str(n) for n in found.notes] == [
        "an activation was cut off: its lines 3 to 4 were signed 2026-03-02T09:00:03+00:00"
    ]


def test_a_run_that_was_begun_before_there_were_heads_says_so() -> None:
    run = Witnessed()
    run.write("goal", "plan")
    run.activation("finish")
    found = run.judged()
    assert (found.to, found.exit_code) == (3, 0)
    assert "lines 1 to 2 were there before the first head" in str(found.notes[0])


def test_without_a_head_nothing_is_said() -> None:
    found = verdict(finished().lines, ())
    assert (found.ruling, found.to, found.exit_code) == ("no head", 0, 4)
    assert str(found.headline) == "there is no signed head: nothing can be said of the 10 lines"


def test_an_empty_journal_with_a_head_is_verified_to_nothing() -> None:
    run = Witnessed()
    run.sign("claimed")
    assert (run.judged().ruling, run.judged().to) == ("verified", 0)
    assert verdict((), ()).exit_code == 4


@dataclass(frozen=True)
class Tampering:
    """What somebody without the key does, and the first fault that is to be named."""

    name: str
    deed: Callable[[Lines, Texts], tuple[Sequence[Line | None], Sequence[str]]]
    fault: str


def altered(lines: Lines, n: int, **fields: object) -> Lines:
    return (*lines[: n - 1], lines[n - 1]._replace(**fields), *lines[n:])  # type: ignore[arg-type]


OTHER = finished("other")
STRANGER = finished(key=FOREIGN)
TAMPERINGS = (
    Tampering("a body", lambda j, h: (altered(j, 3, body='{"n":7}'), h), "line 3 has been altered"),
    Tampering("a time", lambda j, h: (altered(j, 3, at=9.0), h), "line 3 has been altered"),
    Tampering("a kind", lambda j, h: (altered(j, 3, kind="plan"), h), "line 3 has been altered"),
    Tampering("a hash", lambda j, h: (altered(j, 3, hash="0" * 64), h), "line 3 has been altered"),
    Tampering("a number", lambda j, h: (altered(j, 3, seq=4), h), "lines 3 to 3 are missing"),
    Tampering("a line dropped", lambda j, h: ((*j[:2], *j[3:]), h), "lines 3 to 3 are missing"),
    Tampering("a line twice", lambda j, h: ((*j[:3], *j[2:]), h), "line 3 stands where line 4 belongs"),
    Tampering("two lines swapped", lambda j, h: ((*j[:2], j[3], j[2], *j[4:]), h), "lines 3 to 3 are missing"),
    Tampering("cut", lambda j, h: (j[:7], h), "the journal ends at line 7: head 6 was signed at line 10"),
    Tampering("emptied", lambda j, h: ((), h), "the journal ends at line 0: head 2 was signed at line 4"),
    Tampering(
        "altered and hashed anew",
        lambda j, h: (hashed(altered(j, 5, body="{}")), h),
        "lines 5 to 6 are not those that head 4 was signed for",
    ),
    Tampering(
        "a line put in and hashed anew",
        lambda j, h: (hashed((*j[:4], j[4]._replace(body='{"ruling":"approved"}'), *j[4:])), h),
        "lines 5 to 6 are not those that head 4 was signed for",
    ),
    Tampering(
        "another run's lines", lambda j, h: (hashed(OTHER.lines[:3] + OTHER.lines[2:]), h), "lines 1 to 4 are not"
    ),
    Tampering("another run's heads", lambda j, h: (j, OTHER.heads), "head 1 is of run other"),
    Tampering("a foreign key", lambda j, h: (j, STRANGER.heads), "head 1 was signed with key"),
    Tampering("the first head taken away", lambda j, h: (j, h[1:]), "heads before the one numbered 2 are missing"),
    Tampering(
        "a head within taken away", lambda j, h: (j, (*h[:2], *h[3:])), "heads before the one numbered 4 are missing"
    ),
    Tampering("two heads swapped", lambda j, h: (j, (*h[:2], h[3], h[2], *h[4:])), "heads before the one numbered 4"),
    Tampering("a head made unreadable", lambda j, h: (j, (*h[:2], "{", *h[3:])), "head 3 cannot be read"),
    Tampering(
        "a head that names another line",
        lambda j, h: (j, (*h[:5], h[5].replace('"seq":10', '"seq":9'))),
        "the signature of head 6 is not genuine",
    ),
    Tampering(
        "the last heads taken away",
        lambda j, h: (j, h[:4]),
        "line 7 follows head 4, which let the run go: later heads are missing",
    ),
    Tampering(
        "lines put after the end",
        lambda j, h: (hashed((*j, j[4])), h),
        "line 11 follows head 6, which let the run go: later heads are missing",
    ),
    Tampering(
        "a row that is no line", lambda j, h: ((*j[:2], None, *j[3:]), h), "line 3 of the journal cannot be read"
    ),
)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda t: t.name)
def test_tampering_is_named_where_it_begins(tampering: Tampering) -> None:
    run = finished()
    found = verdict(*tampering.deed(run.lines, run.heads))
    assert found.ruling == "not verified"
    assert found.exit_code == 1
    assert not found.complete
    assert tampering.fault in str(found.faults[0])


def test_what_still_holds_is_said_beside_what_does_not() -> None:
    run = finished()
    found = verdict(hashed(altered(run.lines, 9, body="{}")), run.heads)
    assert (found.to, str(found.headline)) == (6, "not verified beyond sequence 6, signed 2026-03-02T09:00:04+00:00")


def test_lines_that_were_planted_between_activations_are_not_legitimised_by_the_next_head() -> None:
    run = Witnessed()
    run.activation("goal", "plan", "asked")
    run.write("answer")  # by somebody else: the chain holds, no activation was signed for it
    run.activation("intent", "outcome", "finish")
    found = run.judged()
    assert (found.to, found.exit_code) == (7, 1)
    assert [str(f) for f in found.faults] == ["lines 4 to 4 were added after head 2 had let the run go"]


def test_an_older_copy_of_the_journal_with_its_own_heads_is_all_that_cannot_be_seen() -> None:
    """Without anything kept elsewhere, what once was the whole truth still looks like it."""
    lines, heads = finished().snapshots[3]
    found = verdict(lines, heads)
    assert (found.ruling, found.to, found.complete) == ("verified", 6, False)


KINDS = st.lists(st.sampled_from(["plan", "verdict", "intent", "outcome", "finish"]), max_size=3).map(tuple)
ACTIVATIONS = st.lists(st.tuples(KINDS, st.booleans()), min_size=1, max_size=5)
INDEX = st.integers(0, 30)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["drop", "twice", "body", "at", "hash", "cut", "none"]), INDEX, INDEX),
        st.tuples(st.sampled_from(["swap", "plant"]), INDEX, INDEX),
        st.tuples(st.just("rehash"), INDEX, INDEX),
        st.tuples(
            st.sampled_from(["head cut", "head drop", "head swap", "head flip", "head foreign", "head other"]),
            INDEX,
            INDEX,
        ),
    ),
    min_size=1,
    max_size=4,
)
Edit = tuple[str, int, int]


def written(activations: list[tuple[tuple[str, ...], bool]]) -> Witnessed:
    run = Witnessed()
    for kinds, killed in activations:
        run.activation(*kinds, killed=killed)
    return run


def tampered(run: Witnessed, edits: list[Edit]) -> tuple[list[Line | None], list[str]]:
    lines: list[Line | None] = list(run.lines)
    heads = list(run.heads)
    for what, a, b in edits:
        if what.startswith("head "):
            _tamper_heads(run, heads, what, a, b)
        elif what == "rehash":
            lines = list(hashed([line for line in lines if line is not None]))
        elif lines:
            _tamper_lines(lines, what, a % len(lines), b % len(lines))
    return lines, heads


def _tamper_lines(lines: list[Line | None], what: str, a: int, b: int) -> None:
    line = lines[a]
    if what == "drop":
        del lines[a]
    elif what in ("twice", "plant"):
        lines.insert(b, line if what == "twice" or line is None else line._replace(body='{"planted":true}'))
    elif what == "swap":
        lines[a], lines[b] = lines[b], lines[a]
    elif what == "cut":
        del lines[a:]
    elif what == "none" or line is None:
        lines[a] = None
    else:
        fields: dict[str, object] = {"body": line.body[::-1] + " ", "at": line.at + 1.0, "hash": line.hash[::-1]}
        lines[a] = line._replace(**{what: fields[what]})  # type: ignore[arg-type]


def _tamper_heads(run: Witnessed, heads: list[str], what: str, a: int, b: int) -> None:
    if not heads:
        return
    a, b = a % len(heads), b % len(heads)
    found = head_of(heads[a])
    if what == "head cut":
        del heads[a:]
    elif what == "head drop":
        del heads[a]
    elif what == "head swap":
        heads[a], heads[b] = heads[b], heads[a]
    elif what == "head other":
        heads[a] = OTHER.heads[a % len(OTHER.heads)]
    elif found is not None and what == "head flip":
        heads[a] = head_line(found[0]._replace(seq=b), found[1])
    elif found is not None:
        own = found[0]._replace(key=key_id(bytes(FOREIGN.verify_key)))
        heads[a] = head_line(own, FOREIGN.sign(message(own)).signature)


def sound(run: Witnessed, lines: list[Line | None], heads: list[str]) -> None:
    """Nothing is claimed that was not signed, and nothing that was signed is passed over."""
    found = verdict(lines, heads)
    signed = head_of(run.heads[-1])
    assert signed is not None
    assert list(lines[: found.to]) == list(run.lines[: found.to])
    assert found.to <= signed[0].seq
    if found.complete:
        assert (found.to, run.lines[found.to - 1].kind) == (len(lines), "finish")
    if tuple(heads) == run.heads and tuple(lines[: signed[0].seq]) != run.lines[: signed[0].seq]:
        assert found.ruling == "not verified"
    if tuple(heads) != run.heads[: len(heads)]:
        assert found.ruling == "not verified"


@given(ACTIVATIONS, EDITS)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_tampering_without_the_key_makes_a_claim_that_was_not_signed(
    activations: list[tuple[tuple[str, ...], bool]], edits: list[Edit]
) -> None:
    run = written(activations)
    sound(run, *tampered(run, edits))


@pytest.mark.slow
@given(ACTIVATIONS, EDITS)
@settings(max_examples=6000, deadline=None)
def test_no_tampering_at_length(activations: list[tuple[tuple[str, ...], bool]], edits: list[Edit]) -> None:
    run = written(activations)
    sound(run, *tampered(run, edits))


@given(ACTIVATIONS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_whatever_was_written_and_signed_is_verified(activations: list[tuple[tuple[str, ...], bool]]) -> None:
    run = written(activations)
    found = run.judged()
    last = head_of(run.heads[-1])
    assert last is not None
    assert (found.ruling, found.to) == ("verified", last[0].seq)
    assert found.unsigned == ((last[0].seq + 1, len(run.lines)) if len(run.lines) > last[0].seq else None)


def test_the_verifier_hashes_as_the_store_does() -> None:
    line = Line(seq=3, at=1772442000.25, kind="plan", body='{"goal":"训练 é"}', hash="")
    assert chain("abc", line) == store.chain("abc", line.seq, line.at, line.kind, line.body)


@pytest.mark.parametrize(
    "fields",
    [
        (1, 1, "plan", "{}", ""),
        ("1", 1.0, "plan", "{}", ""),
        (True, 1.0, "plan", "{}", ""),
        (1, 1.0, "plan", b"{}", ""),
        (1, 1.0, "plan\n{}", "", ""),
        (1, 1.0, "plan", "{\n}", ""),
        (1, None, "plan", "{}", ""),
        (1, 1.0, "plan", "{}"),
    ],
)
def test_columns_that_make_no_line_are_none(fields: tuple[object, ...]) -> None:
    """A newline would let text move from one column to the next under the same hash."""
    assert line_of(fields) is None


def test_text_that_no_bytes_read_as_has_no_hash() -> None:
    assert chain("", Line(seq=1, at=1.0, kind="plan", body="\ud800", hash="")) == ""
    assert chain("", Line(seq=1, at=1.0, kind="plan", body="\udcff", hash="")) != ""


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t + " ",
        lambda t: t.replace('"seq":10', '"seq":10.0'),
        lambda t: t.replace('"seq":10', '"seq":true'),
        lambda t: t.replace('"run":', '"more":1,"run":'),
        lambda t: json.dumps(json.loads(t)),
        lambda t: "[]",
        lambda t: "[" * 100_000,
        lambda t: '{"head":{},"signature":""}',
        lambda t: '{"head":{"seq":' + "9" * 5000 + "}}",
        lambda t: "",
    ],
)
def test_only_the_one_text_of_a_head_is_a_head(spoil: Callable[[str], str]) -> None:
    text = finished().heads[-1]
    assert head_of(text) is not None
    assert head_of(spoil(text)) is None


def test_two_histories_that_were_both_signed_make_no_third() -> None:
    """A log that was rolled back and gone on with leaves genuine heads with the same numbers."""
    first, second = finished(), Witnessed()
    second.activation("goal", "contract", "survey", "plan")
    second.activation("verdict", "outcome")
    second.activation("finish")
    mixed = (*first.heads[:4], *second.heads[4:])
    assert verdict(second.lines, second.heads).complete
    for lines in (first.lines, second.lines):
        found = verdict(lines, mixed)
        assert "heads before the one numbered 5 are missing" in [str(f) for f in found.faults]


def test_a_head_that_goes_back_is_seen_even_if_it_was_signed() -> None:
    run = Witnessed()
    run.activation("goal", "plan")
    run.epoch = -1
    run.sign("claimed")
    assert "goes back behind" in str(run.judged().faults[0])
    assert KEY is run.key

"""Counting behind the backs of callers: whatever is sent is counted, or said to be unread or to fit no bin."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tools.backends.local.router_inputs import BODY_MOST, CHUNK, Watched, Watching, _place
from tools.inputs import Inputs
from tools.recipes.binning import placer
from tools.recipes.drift_reference import levels, numbers
from tools.recipes.reference import PREDICTION, REFERENCE_FILE, Reference
from tools.record import Json

REFERENCE = Reference(
    features=(numbers("x", [float(k) for k in range(100)]), levels("c", ["a", "b"] * 50)),
    prediction=levels(PREDICTION, ["no", "yes"] * 50, known=("no", "yes")),
)


def body(x: object = (5.0,), c: object = ("a",), **more: object) -> bytes:
    tensors: list[Json] = [{"name": "x", "data": x}, {"name": "c", "data": c}]
    return json.dumps({"inputs": tensors} | more).encode()


def answer(predicted: object = ("yes",)) -> bytes:
    return json.dumps(
        {"outputs": [{"name": "probability", "data": [0.1]}, {"name": "prediction", "data": predicted}]}
    ).encode()


def watched(
    tmp_path: Path, *seen: tuple[bytes, bytes], reference: Reference | None = REFERENCE, **wishes: int
) -> Inputs:
    """What is counted of these requests."""

    async def inside(watching: Watching) -> Inputs:
        for asked, told in seen:
            watching.note("v1", asked, told)
        return await watching.inputs("v1", since=0.0, until=None)

    return ran(tmp_path, inside, reference=reference, **wishes)


def ran(
    tmp_path: Path,
    check: Callable[[Watching], Awaitable[Inputs]],
    *,
    reference: Reference | None = REFERENCE,
    **wishes: int,
) -> Inputs:
    if reference is not None:
        (tmp_path / REFERENCE_FILE).write_text(reference.model_dump_json())

    async def inside() -> Inputs:
        watching = Watching(settled_within_s=100.0, **wishes)
        watching.versions["v1"] = Watched(tmp_path)
        try:
            return await check(watching)
        finally:
            await watching.close()

    return asyncio.run(inside())


def test_rows_are_counted_in_the_bins_of_the_reference(tmp_path: Path) -> None:
    found = watched(tmp_path, (body(), answer()), (body([5.0, None], ["b", "z"]), answer(["no", "yes"])))
    assert (found.rows, found.requests, found.unread, found.unbinned) == (3, 2, 0, 0)
    x, c = found.features
    assert (x.served[1], x.served[-1]) == (2, 1)
    assert sorted(c.served[:2]) == [1, 1]
    assert c.served[2:] == (1, 0)
    assert found.predictions is not None
    assert found.predictions.served == (1, 2, 0, 0)
    assert x.reference == REFERENCE.features[0].counts


def test_a_model_without_a_reference_is_not_watched_and_nothing_is_kept(tmp_path: Path) -> None:
    found = watched(tmp_path, (body(), answer()), reference=None)
    assert (found.watched, found.rows, found.until) == (False, 0, 0.0)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        (body(x=["five"]), 1),
        (body(x=[True]), 1),
        (body(c=[3]), 1),
        (body(x=[1.0, 2.0]), 2),
        (body(x=[[1.0]]), 1),
        (body(x=[{}]), 1),
        (json.dumps({"inputs": [{"name": "x", "data": [1.0]}]}).encode(), 1),
        (json.dumps({"inputs": [{"name": "other", "data": [1.0]}]}).encode(), 1),
    ],
)
def test_rows_that_fit_no_bin_are_counted_as_such_and_change_no_bin(tmp_path: Path, asked: bytes, rows: int) -> None:
    found = watched(tmp_path, (asked, answer()), (body(), answer()))
    assert (found.rows, found.unbinned, found.unread, found.requests) == (1, rows, 0, 2)
    assert sum(found.features[0].served) == 1


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\x00\xff\xfe binary",
        b"[" * 100_000,
        b'{"inputs": 3}',
        b'{"inputs": [3, null, {"name": 3}, {"name": "x", "data": "abc"}]}',
        b'{"inputs": [{"name": "x", "data": [' + b"9" * 5000 + b"]}]}",
    ],
)
def test_what_is_no_request_of_the_protocol_is_unread_and_the_next_is_counted(tmp_path: Path, asked: bytes) -> None:
    found = watched(tmp_path, (asked, answer()), (body(), answer()))
    assert (found.rows, found.unread, found.requests) == (1, 1, 2)


def test_numbers_that_are_none_are_missing(tmp_path: Path) -> None:
    values = b'{"name": "x", "data": [NaN, Infinity, -Infinity, 1e999]}, {"name": "c", "data": ["a", "a", "a", "a"]}'
    raw = b'{"inputs": [' + values + b"]}"
    assert watched(tmp_path, (raw, answer(["no"] * 4))).features[0].served[-1] == 4


@pytest.mark.parametrize("told", [b"", b"{}", b'{"outputs": []}', answer(["yes", "no"]), answer([3]), answer("yes")])
def test_an_answer_without_readable_predictions_leaves_the_inputs_counted(tmp_path: Path, told: bytes) -> None:
    found = watched(tmp_path, (body(), told))
    assert found.rows + found.unread == 1
    assert found.predictions is not None
    assert sum(found.predictions.served) == 0


def test_a_request_that_is_too_large_is_not_taken_apart(tmp_path: Path) -> None:
    found = watched(tmp_path, (body(padding="x" * BODY_MOST), answer()), (body(), answer()))
    assert (found.rows, found.unread, found.requests) == (1, 1, 2)


def test_a_batch_is_counted_row_by_row(tmp_path: Path) -> None:
    rows = 8000
    found = watched(tmp_path, (body([50.0] * rows, ["a"] * rows), answer(["no"] * rows)))
    assert found.rows == rows
    assert max(found.features[0].served) == rows


def test_too_many_at_once_make_the_counts_a_sample_and_that_is_said(tmp_path: Path) -> None:
    found = watched(tmp_path, *[(body(), answer())] * 100, queue_most=10)
    assert (found.rows, found.unread, found.requests) == (10, 90, 100)


def test_bytes_that_wait_are_bounded_too(tmp_path: Path) -> None:
    one = (body(), answer())
    found = watched(tmp_path, *[one] * 100, bytes_most=20 * sum(map(len, one)))
    assert (found.rows, found.unread) == (20, 80)


def test_noting_a_request_does_no_work_of_its_own(tmp_path: Path) -> None:
    async def inside(watching: Watching) -> Inputs:
        large = body([1.0] * 2000, ["a"] * 2000), answer(["no"] * 2000)
        began = time.process_time()
        for _ in range(20):
            watching.note("v1", *large)
        noted = time.process_time() - began
        found = await watching.inputs("v1", since=0.0, until=None)
        assert noted < (time.process_time() - began) / 10
        return found

    assert ran(tmp_path, inside, bytes_most=10**9).rows == 40_000


def test_others_get_their_turn_while_a_batch_is_counted() -> None:
    async def inside() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        assert await _place([], placer(REFERENCE.features[0]), [1.0] * 40 * CHUNK, 0)
        task.cancel()
        return turns

    assert asyncio.run(inside()) >= 30


def test_the_next_window_begins_where_this_one_ends(tmp_path: Path) -> None:
    async def inside(watching: Watching) -> Inputs:
        since, rows = 0.0, []
        for size in (3, 0, 2):
            for _ in range(size):
                watching.note("v1", body(), answer())
            found = await watching.inputs("v1", since=since, until=None)
            since = found.until
            rows.append(found.rows)
        assert rows == [3, 0, 2]
        return found

    ran(tmp_path, inside)


def test_a_version_that_nobody_knows_costs_nothing(tmp_path: Path) -> None:
    async def inside(watching: Watching) -> Inputs:
        watching.note("v9", body(), answer())
        return await watching.inputs("v1", since=0.0, until=None)

    assert ran(tmp_path, inside).requests == 0

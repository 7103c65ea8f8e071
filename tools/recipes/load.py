"""Sends real requests to an endpoint: single rows drawn from the validation part's features, at a steady rate.

It measures nothing: the router does. A request that fails is counted, never raised.
Run as `python -I -m tools.recipes.load FOLDER`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import httpx
import polars as pl

from tools.inputs import PROBE_HEADER
from tools.language import tr
from tools.recipes import parts
from tools.recipes.card import Input
from tools.recipes.faults import BadInput, Fault
from tools.recipes.program import Say, mount, run
from tools.recipes.records import Inputs, LoadArgs, LoadResult

DRAWN = 2000
"""Requests written in advance; a longer load goes through them again."""
BATCH_EVERY, BATCH_ROWS = 20, 8
"""Every so manieth request carries a few rows instead of one."""
AT_ONCE = 64
KEPT = 8
"""Connections kept open: the pool looks at every one of them for every request."""
ANSWER_S = 35.0
"""Above the router's own limit, so that it is the router that says so."""
SAY_EVERY_S = 1.0
HEADERS = {"content-type": "application/json", PROBE_HEADER: "1"}


class Tally:
    """What became of the requests."""

    def __init__(self) -> None:
        self.sent = self.answered = self.failed = 0


def work(inputs: Inputs, say: Say) -> LoadResult:
    """Send for `seconds` at `rate_rps`. BadInput when the endpoint is not on loopback or is not such a model."""
    args = LoadArgs.model_validate(inputs.args)
    _on_loopback(args.url)
    part = parts.read_part(mount(inputs, "data") / parts.VALIDATION, args.label)
    return asyncio.run(_load(args, part.features, say))


async def _load(args: LoadArgs, features: pl.DataFrame, say: Say) -> LoadResult:
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=KEPT)
    model = f"{args.url.rstrip('/')}/v2/models/{quote(args.model, safe='')}"
    async with httpx.AsyncClient(timeout=ANSWER_S, limits=limits, trust_env=False) as client:
        say(tr("drawing requests from the validation part"), 0.0)
        bodies = draw(features, await _inputs(client, model), args)
        began = time.monotonic()
        tally = await _send(client, f"{model}/infer", bodies, args, say)
        seconds = time.monotonic() - began
    return LoadResult(sent=tally.sent, answered=tally.answered, failed=tally.failed, seconds=seconds)


async def _inputs(client: httpx.AsyncClient, model: str) -> Sequence[Input]:
    """The columns the model asks for, as it describes them itself."""
    try:
        answer = (await client.get(model)).raise_for_status().json()
        return tuple(
            Input(name=i["name"], datatype=i["datatype"], kind=i["parameters"]["kind"]) for i in answer["inputs"]
        )
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        fault = Fault(
            place=model,
            problem=tr("does not describe its inputs: {error}", error=error),
            fix=tr("give traffic to a ready version"),
        )
        raise BadInput([fault], cause="network") from error


def draw(features: pl.DataFrame, inputs: Sequence[Input], args: LoadArgs) -> list[bytes]:
    """Request bodies of rows drawn with the seed, with repetition. BadInput when a column is not in the data."""
    if missing := [one.name for one in inputs if one.name not in features.columns]:
        fix = tr("send it to the model that was trained on these data")
        raise BadInput(
            [
                Fault(place=tr("column {name!r}", name=name), problem=tr("is not a feature here"), fix=fix)
                for name in missing
            ]
        )
    values = parts.endpoint_columns(features, inputs)
    chance = random.Random(args.seed)
    count = min(DRAWN, max(1, round(args.rate_rps * args.seconds)))
    bodies = []
    for number in range(count):
        size = BATCH_ROWS if number % BATCH_EVERY == BATCH_EVERY - 1 else 1
        rows = [chance.randrange(features.height) for _ in range(size)]
        tensors = [
            {"name": i.name, "datatype": i.datatype, "shape": [size], "data": [values[i.name][r] for r in rows]}
            for i in inputs
        ]
        bodies.append(json.dumps({"inputs": tensors}, allow_nan=False).encode())
    return bodies


async def _send(client: httpx.AsyncClient, url: str, bodies: Sequence[bytes], args: LoadArgs, say: Say) -> Tally:
    """Open loop: a request starts when it is due, whatever became of those before, up to `AT_ONCE` at a time."""
    tally, gate, loop = Tally(), asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop()
    began = told = loop.time()
    total = max(1, round(args.rate_rps * args.seconds))
    async with asyncio.TaskGroup() as flying:
        while tally.sent < total and (now := loop.time()) - began < args.seconds:
            if now - told >= SAY_EVERY_S:
                told = now
                say(
                    tr("sending requests"),
                    min(1.0, (now - began) / args.seconds),
                    answered=tally.answered,
                    failed=tally.failed,
                )
            due = began + tally.sent / args.rate_rps
            if due > now:
                await asyncio.sleep(min(due - now, SAY_EVERY_S))
                continue
            await gate.acquire()
            flying.create_task(_one(client, url, bodies[tally.sent % len(bodies)], tally, gate))
            tally.sent += 1
    return tally


async def _one(client: httpx.AsyncClient, url: str, body: bytes, tally: Tally, gate: asyncio.Semaphore) -> None:
    try:
        answer = await client.post(url, content=body, headers=HEADERS)
        good = answer.status_code == 200
    except httpx.HTTPError:
        good = False
    finally:
        gate.release()
    if good:
        tally.answered += 1
    else:
        tally.failed += 1


def _on_loopback(url: str) -> None:
    parsed = urlsplit(url)
    if parsed.scheme != "http" or parsed.hostname not in ("127.0.0.1", "localhost", "::1"):
        fix = tr("load is sent to this machine only: give an http URL on 127.0.0.1")
        raise BadInput([Fault(place="url", problem=tr("{url!r} is not on loopback", url=url), fix=fix)])


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())

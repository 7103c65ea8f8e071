"""A real endpoint on this machine whose model was trained on a made-up table, and callers whose requests can drift.

Everything goes the way that a run's steps go: the same tools on the local backend, requests over HTTP.
"""

from __future__ import annotations

import csv
import json
import math
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel

from evals.drift_worlds import CLASSES, Moved, Rows, Table, draw, still
from tools.data import Prepared, prepare_data
from tools.deploy import DeployModel, deploy_model
from tools.dispatch import Place, open_backend
from tools.drift import Drift, ReadDrift, read_drift
from tools.ports import Backend, Scope, Tags
from tools.recipes.records import PrepareArgs
from tools.recipes.records import Table as Source
from tools.record import Json
from tools.tool import Done, Site, Tool
from tools.traffic import ShiftTraffic, shift_traffic
from tools.train import Candidate, TuneModel, tune_model

NAME = "drifting"
VERSION = "v1"
LABEL = "label"
TABLE = Table("served", 5, 3, reference_rows=3000)
BATCH = 250
"""Rows of one request."""
LEASE_S = 900.0
RUN = "drift-bench"

R = TypeVar("R", bound=BaseModel)


class Served:
    """The endpoint, and what can be asked of it."""

    def __init__(self, backend: Backend, url: str) -> None:
        self._backend = backend
        self._infer = f"{url}/v2/models/{NAME}/infer"
        with urllib.request.urlopen(f"{url}/v2/models/{NAME}", timeout=30) as answer:
            self._datatypes = {i["name"]: i["datatype"] for i in json.load(answer)["inputs"]}

    def send(self, at: Moved, rows: int, rng: np.random.Generator) -> None:
        """Send that many rows, drawn where the table is now; every request must be answered."""
        left = rows
        while left > 0:
            size = min(BATCH, left)
            body = json.dumps({"inputs": self._tensors(draw(TABLE, at, size, rng), size)}).encode()
            request = urllib.request.Request(self._infer, data=body, headers={"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
            left -= size

    def read(self, since: float, **wishes: object) -> Drift:
        """The window since then, judged if it is large enough."""
        args = ReadDrift.model_validate({"endpoint": NAME, "version": VERSION, "since": since, **wishes})
        return Drift.model_validate(_done(read_drift, args, self._backend, "read"))

    def _tensors(self, rows: Rows, size: int) -> list[Json]:
        return [
            {"name": name, "datatype": self._datatypes[name], "shape": [size], "data": data}
            for name, data in columns(rows).items()
        ]


@contextmanager
def served(folder: Path, *, seed: int = 0) -> Iterator[Served]:
    """Train and deploy below that folder; everything is taken down again."""
    home, runtime = folder / "home", folder / "run"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    backend = open_backend(Place(name="local", home=str(home), runtime=str(runtime)))
    try:
        model = _trained(backend, _written(folder / "rows.csv", seed))
        args = DeployModel(endpoint=NAME, version=VERSION, model=model, lease_s=LEASE_S)
        url = str(_done(deploy_model, args, backend, "deploy")["url"])
        _done(shift_traffic, ShiftTraffic(endpoint=NAME, version=VERSION, percent=100), backend, "shift")
        yield Served(backend, url)
    finally:
        for one in backend.serving.owned(Scope(run=RUN)):
            backend.serving.remove(one.id)


def columns(rows: Rows) -> dict[str, list[object]]:
    """Values as a request has them: numbers, text, None."""
    made: dict[str, list[object]] = {}
    for number, column in enumerate(rows.columns):
        values = column.tolist()
        if number < TABLE.numeric:
            made[f"x{number}"] = [None if math.isnan(v) else v for v in values]
        else:
            made[f"x{number}"] = [f"level {int(v)}" for v in values]
    return made


def _written(path: Path, seed: int) -> Path:
    rows = draw(TABLE, still(TABLE), TABLE.reference_rows, np.random.default_rng(seed))
    table = columns(rows) | {LABEL: [CLASSES[code] for code in rows.predicted]}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


def _trained(backend: Backend, source: Path) -> str:
    """Object key of the model."""
    table = Source(name="rows", source=str(source), format="csv")
    asked = PrepareArgs(tables=(table,), task="classification", label=LABEL)
    data = Prepared.model_validate(_done(prepare_data, asked, backend, "prepare"))
    tune = TuneModel(
        data=data.key,
        task="classification",
        label=LABEL,
        family="logistic_regression",
        metric="accuracy",
        trials=1,
        seconds=30.0,
    )
    return Candidate.model_validate(_done(tune_model, tune, backend, "train")).key


def _done(tool: Tool, args: BaseModel, backend: Backend, step: str) -> Json:
    """The result of a call, once it is over."""
    now = time.time()
    tags = Tags(run=RUN, call=f"{RUN}/{step}/1", owner=RUN, lease_until=now + LEASE_S)
    site = Site(backend=backend, tags=tags, limit_s=LEASE_S, now=now)
    outcome = tool.start(args, site)
    while not isinstance(outcome, Done):
        assert tool.follow is not None
        time.sleep(0.05)
        outcome = tool.follow(args, site, outcome.handle)
    return outcome.result

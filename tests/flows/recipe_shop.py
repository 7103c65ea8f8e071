"""Runs the recipes in the test's own process, with the folders and keys a backend would give them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl
from nacl.public import PrivateKey

from tools.recipes import evaluate, parts, prepare, train
from tools.recipes.program import quiet
from tools.recipes.records import (
    EvaluateArgs,
    EvaluateResult,
    Format,
    Inputs,
    PrepareArgs,
    PrepareResult,
    Table,
    TrainArgs,
    TrainResult,
)


class Shop:
    """One run's folder: its keys, and a folder for each job."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        key = PrivateKey.generate()
        self.public, self.private = folder / "holdout.public", folder / "holdout.private"
        self.public.write_bytes(bytes(key.public_key))
        self.private.write_bytes(bytes(key))
        self.data, self.trained, self.judged = (folder / name for name in ("data", "trained", "judged"))
        for place in (self.data, self.trained, self.judged):
            place.mkdir()

    def prepare(self, args: PrepareArgs) -> PrepareResult:
        secrets = {"holdout.public": str(self.public)}
        return prepare.work(Inputs(args=args.model_dump(), secrets=secrets, out=str(self.data)), quiet)

    def lay(self, frame: pl.DataFrame, *, train: int, validation: int) -> None:
        """Part the rows as they stand, without any preparation: the label is the last column, the rest the holdout."""
        opened, held = frame[: train + validation], frame[train + validation :]
        numbers = pl.Series("__row__", range(train + validation, frame.height), dtype=pl.Int64)
        parts.write_part(opened[:train], self.data / parts.TRAIN)
        parts.write_part(opened[train:], self.data / parts.VALIDATION)
        parts.write_sealed(held.with_columns(numbers), self.data / parts.HOLDOUT, self.public.read_bytes())

    def train(self, args: TrainArgs) -> TrainResult:
        mounts = {"data": str(self.data)}
        return train.work(Inputs(args=args.model_dump(), mounts=mounts, out=str(self.trained)), quiet)

    def evaluate(self, args: EvaluateArgs, **others: Path) -> EvaluateResult:
        """`others`: further models by the name they are mounted under."""
        return evaluate.work(
            Inputs(
                args=args.model_dump(),
                mounts={"data": str(self.data), "model": str(self.trained)} | {n: str(p) for n, p in others.items()},
                secrets={"holdout.private": str(self.private)},
                out=str(self.judged),
            ),
            quiet,
        )

    def part(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.data / name)

    def holdout(self, label: str) -> parts.Holdout:
        return parts.read_sealed(self.data / parts.HOLDOUT, label, self.private.read_bytes())

    def rows(self) -> dict[str, list[int]]:
        """Numbers of the rows of the open parts."""
        table = pl.read_parquet(self.data / parts.ROWS)
        return {name: table.filter(pl.col("part") == name)["row"].to_list() for name in ("train", "validation")}

    def evidence(self) -> list[dict[str, str]]:
        with (self.judged / "holdout_rows.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


def one(source: str | Path, kind: Format = "csv") -> tuple[Table, ...]:
    """The one table that the rows come from."""
    return (Table(name=str(source), source=str(source), format=kind),)


def write(path: Path, rows: Iterable[Mapping[str, object]]) -> str:
    """The rows as CSV; the path as text."""
    listed = list(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    return str(path)


def read(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def column(rows: Sequence[Mapping[str, str]], name: str) -> list[str]:
    return [row[name] for row in rows]

"""Runs the user's own `predict` command on rows without labels, and reads what it says of them.

The command gets what it needs and nothing of ours: its own folder, a table in, a table out, a time limit.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import polars as pl

from tools.recipes.confine import confined
from tools.recipes.faults import BadInput, Fault

LIMIT_S = 600.0
"""Time a `predict` command has for the holdout; the job's own limit is enforced above it."""
OURS = ("GOALKEEPER_", "PYTHONSAFEPATH")
"""Variables, or their prefixes, that a user's command does not inherit."""
_COLUMN = "prediction"


def predictions(
    command: str,
    folder: Path,
    features: pl.DataFrame,
    *,
    model: Path | None,
    hide: Sequence[Path] = (),
    limit_s: float = LIMIT_S,
) -> tuple[pl.Series, bool]:
    """What it predicts, and whether `hide` was hidden from it.

    The column `prediction` of `COMMAND IN.csv OUT.csv`, one per row, in the order of the rows, as text.

    BadInput(user_code_error, or timeout) when it fails, is late, or leaves anything but one value a row.
    """
    with tempfile.TemporaryDirectory() as place:
        given, made = Path(place) / "IN.csv", Path(place) / "OUT.csv"
        features.write_csv(given)
        argv = [*shlex.split(command), str(given), str(made)]
        if shutil.which(folder / argv[0] if "/" in argv[0] else argv[0]) is None:
            raise _fault(argv[0], "cannot be started: there is no such program", "write it as you would in this folder")
        alone = confined(argv, hide=hide, show=[Path(place), *([model] if model is not None else [])])
        _run(alone or argv, folder, _environment(model), limit_s)
        return _read(made, features.height, command), alone is not None


def _environment(model: Path | None) -> Mapping[str, str]:
    """What the user's shell has, without what concerns this program alone; and where the trained model lies."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept if model is None else kept | {"GOALKEEPER_OUTPUT_DIR": str(model)}


def _run(argv: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float) -> None:
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
        except OSError as error:
            fix = "write it as you would in this folder"
            raise _fault(argv[0], f"cannot be started: {error.strerror}", fix) from error
        try:
            code = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            fault = Fault(place=argv[0], problem=f"was not done after {limit_s:g} s", fix="make it faster")
            raise BadInput([fault], cause="timeout") from error
        finally:
            _end(process)
        if code != 0:
            raise _fault(argv[0], f"ended with exit code {code}: {_last(errors)}", "make it exit with 0")


def _last(errors: IO[bytes]) -> str:
    """The last line it wrote to its error output, of however much it wrote."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing that the command started stays behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _read(path: Path, rows: int, command: str) -> pl.Series:
    fix = f"write a CSV with a column {_COLUMN!r} and one line per line of the input, in its order"
    if not path.is_file():
        raise _fault(command, "left no OUT.csv", fix)
    try:
        table = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise _fault(command, f"left an OUT.csv that cannot be read ({str(error)[:100]})", fix) from error
    if _COLUMN not in table.columns:
        raise _fault(command, f"left no column {_COLUMN!r} but {', '.join(table.columns[:8])}", fix)
    if table.height != rows:
        raise _fault(command, f"left {table.height} predictions for {rows} rows", fix)
    told = table[_COLUMN].fill_null("")
    empty = told.str.strip_chars().str.to_lowercase().is_in(["", "nan", "null", "none"]).arg_true()
    if empty.len():
        raise _fault(command, f"left {empty.len()} rows without a prediction, the first is row {empty[0]}", fix)
    return told


def _fault(place: str, problem: str, fix: str) -> BadInput:
    return BadInput([Fault(place=f"predict command {place!r}", problem=problem, fix=fix)], cause="user_code_error")

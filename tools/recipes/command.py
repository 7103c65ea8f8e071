"""Runs the user's own `predict` command on rows without labels, and reads what it says of them.

The command gets what it needs and nothing of ours: its own folder, a table in, a table out, a time limit.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import polars as pl

from tools.language import tr
from tools.recipes.confine import confined
from tools.recipes.faults import BadInput, Fault

LIMIT_S = 600.0
"""Time a `predict` command has for the holdout; the job's own limit is enforced above it."""
WRITTEN_MOST = 1 << 30
"""Bytes of any one file it writes, its error output included."""
ANSWER_MOST = 256 << 20
"""Bytes of OUT.csv."""
OURS = ("GOALKEEPER_", "PYTHONSAFEPATH")
"""Variables, or their prefixes, that a user's command does not inherit."""
_COLUMN = "prediction"
_LIMITED = (sys.executable, "-I", "-S", str(Path(__file__).with_name("limited.py")), str(WRITTEN_MOST))
"""Starts what follows with that limit on files."""


def predictions(
    command: str,
    folder: Path,
    features: pl.DataFrame,
    *,
    model: Path | None,
    hide: Sequence[Path] = (),
    limit_s: float = LIMIT_S,
) -> tuple[pl.Series, bool]:
    """What it predicts, and whether it saw nothing but its folder, its programs, the table and the model, without
    `hide`.

    The column `prediction` of `COMMAND IN.csv OUT.csv`, one per row, in the order of the rows, as text.

    BadInput(user_code_error, or timeout) when it fails, is late, or leaves anything but one value a row.
    """
    with tempfile.TemporaryDirectory() as place:
        asked, made = Path(place) / "IN.csv", Path(place) / "OUT.csv"
        _plain(features).write_csv(asked)
        argv = [*shlex.split(command), str(asked), str(made)]
        if shutil.which(folder / argv[0] if "/" in argv[0] else argv[0]) is None:
            raise _fault(
                argv[0], tr("cannot be started: there is no such program"), tr("write it as you would in this folder")
            )
        environment = _environment(model, place)
        given = () if model is None else (model,)
        alone = confined(argv, folder=folder, environ=environment, read=given, write=[Path(place)], hide=hide)
        _run(alone or argv, folder, environment, limit_s, command)
        return _read(made, features.height, command), alone is not None


def _plain(features: pl.DataFrame) -> pl.DataFrame:
    """As a CSV can hold it: bytes as base64."""
    return features.with_columns(pl.col(pl.Binary).bin.encode("base64"))


def _environment(model: Path | None, place: str) -> Mapping[str, str]:
    """What the user's shell has, without what concerns this program alone; where the trained model lies, and where
    there is room for what is written meanwhile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {"TMPDIR": place}
    return kept if model is None else kept | {"GOALKEEPER_OUTPUT_DIR": str(model)}


def _run(argv: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float, command: str) -> None:
    """`command` is what a person calls it: `argv` may begin with what confines it."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [*_LIMITED, *argv],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            fix = tr("write it as you would in this folder")
            raise _fault(command, tr("cannot be started: {strerror}", strerror=error.strerror), fix) from error
        try:
            code = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            late = _fault(command, tr("was not done after {limit_s:g} s", limit_s=limit_s), tr("make it faster"))
            raise BadInput(late.found, cause="timeout") from error
        finally:
            _end(process)
        if code != 0:
            raise _fault(
                command,
                tr("ended with exit code {code}: {errors}", code=code, errors=_last(errors)),
                tr("make it exit with 0"),
            )


def _last(errors: IO[bytes]) -> str:
    """The last line it wrote to its error output, of however much it wrote."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else tr("it said nothing")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing that the command started stays behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _read(path: Path, rows: int, command: str) -> pl.Series:
    fix = tr("write a CSV with a column {column!r} and one line per line of the input, in its order", column=_COLUMN)
    if not path.is_file():
        raise _fault(command, tr("left no OUT.csv"), fix)
    if path.stat().st_size > ANSWER_MOST:
        raise _fault(command, tr("left an OUT.csv of more than {most} MiB", most=ANSWER_MOST >> 20), fix)
    try:
        table = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise _fault(
            command, tr("left an OUT.csv that cannot be read ({error})", error=str(error)[:100]), fix
        ) from error
    if _COLUMN not in table.columns:
        raise _fault(
            command,
            tr("left no column {column!r} but {columns}", column=_COLUMN, columns=", ".join(table.columns[:8])),
            fix,
        )
    if table.height != rows:
        raise _fault(command, tr("left {height} predictions for {rows} rows", height=table.height, rows=rows), fix)
    told = table[_COLUMN].fill_null("")
    empty = told.str.strip_chars().str.to_lowercase().is_in(["", "nan", "null", "none"]).arg_true()
    if empty.len():
        raise _fault(
            command,
            tr("left {n} rows without a prediction, the first is row {row}", n=empty.len(), row=empty[0]),
            fix,
        )
    return told


def _fault(place: str, problem: str, fix: str) -> BadInput:
    return BadInput(
        [Fault(place=tr("predict command {place!r}", place=place), problem=problem, fix=fix)], cause="user_code_error"
    )

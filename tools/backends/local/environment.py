"""Which variables a program sees: a recipe an allow-list, the user's own command what the user's shell has but for
credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tools.backends.local.credentials import without
from tools.backends.local.launch import Launch

RECIPE = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
OURS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "PYTHONSAFEPATH")
"""Beside `GOALKEEPER_*`: what is meant for the agent, and not for the user's own command."""


def of_recipe(environ: Mapping[str, str], launch: Launch) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name in RECIPE or name.startswith("LC_")}
    return {**kept, "HOME": f"{launch.box}/home", "TMPDIR": f"{launch.box}/tmp"}


def of_command(environ: Mapping[str, str], launch: Launch, *, sandboxed: bool) -> dict[str, str]:
    """The user's shell without what is ours and without credentials, then the program's contract, then what the
    goal says: a credential that a program needs is named there."""
    dropped = (*OURS, "TMPDIR", "OLDPWD") if sandboxed else OURS
    kept = {
        name: value
        for name, value in without(environ).items()
        if name not in dropped and not name.startswith("GOALKEEPER_")
    }
    kept.setdefault("PYTHONUNBUFFERED", "1")  # what it prints is shown while it runs
    contract = {"GOALKEEPER_OUTPUT_DIR": str(launch.out), "GOALKEEPER_CHECKPOINT_DIR": f"{launch.box}/checkpoint"}
    return {**kept, "PWD": launch.folder, **contract, **_data(launch), **launch.environment}


def _data(launch: Launch) -> dict[str, str]:
    """Where the parts of the prepared data lie, in the form of the source."""
    inputs = json.loads(Path(launch.box, "inputs.json").read_bytes())
    found = {"GOALKEEPER_HYPERPARAMETERS": json.dumps(inputs["args"].get("hyperparameters", {}))}
    if (data := inputs["mounts"].get("data")) is None:
        return found
    for part in ("train", "validation"):
        csv = Path(data, f"{part}.csv")
        found[f"GOALKEEPER_DATA_{part.upper()}"] = str(csv if csv.exists() else csv.with_suffix(".parquet"))
    return found

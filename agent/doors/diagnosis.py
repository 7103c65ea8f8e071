"""What `doctor` looks at: cheap, read-only checks, each with its way out."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from agent.audit.journal import key_id
from agent.audit.key import Unsignable, public_file, public_key, usable
from agent.doors.check import Check
from agent.doors.model_check import ModelFacts, bare, configured
from agent.doors.operation_check import store, telemetry
from agent.doors.service import Service
from agent.errors import GoalkeeperError
from agent.settings import Settings, Traces, Tracking
from tools.errors import ToolError
from tools.record import Record

LOCAL = ("polars", "numpy", "scipy", "sklearn", "optuna", "skops", "starlette", "uvicorn", "httptools", "httpx")
"""What the programs inside local jobs import."""
MIN_FREE_GB = 1.0
_PROBE_S = 10.0
_ADDRESSES = ("model_url", "tracking.uri", "traces.endpoint")


class Effective(Record):
    """One setting as it holds now."""

    name: str
    value: str
    origin: str


class CheckUp(Record):
    """`doctor --json`."""

    version: str
    checks: tuple[Check, ...]
    settings: tuple[Effective, ...]
    model: ModelFacts | None = None
    """With `--model`, where one is configured."""


def examine(
    settings: Settings,
    open_session: Callable[[Settings], Service],
    *,
    try_model: Callable[[Settings], tuple[Check, ModelFacts | None]] | None = None,
) -> CheckUp:
    """Every check. Leaves nothing behind; the backend is asked only what a listing asks, and a model nothing unless
    `try_model` does."""
    model, facts = (configured(settings), None) if try_model is None else try_model(settings)
    checks = (
        _python(),
        _platform(),
        _home(settings.home),
        _runtime(settings.runtime),
        _audit(settings),
        _space(settings.home),
        _libraries(),
        _isolation(),
        _backend(settings, open_session),
        store(settings),
        telemetry(settings),
        model,
    )
    return CheckUp(version=_version(), checks=checks, settings=tuple(_effective(settings)), model=facts)


def _version() -> str:
    try:
        return version("goalkeeper")
    except PackageNotFoundError:
        return "unknown"


def _effective(settings: Settings) -> Iterator[Effective]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Tracking | Traces):
            fields = {f"{name}.{field}": getattr(value, field) for field in type(value).model_fields}
        else:
            fields = {name: value} if name != "origins" else {}
        for field, one in fields.items():
            yield Effective(name=field, value=_shown(field, one), origin=settings.origins.get(field, "default"))


def _shown(name: str, value: object) -> str:
    """Without what is secret: of variables their names, of an address no password."""
    match value:
        case None:
            return "not set"
        case Mapping():
            return ", ".join(value) or "none"
        case (float(), float()):
            return "/".join(f"{number:g}" for number in value)
        case _:
            return bare(str(value)) if name in _ADDRESSES else str(value)


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    enough = sys.version_info >= (3, 11)
    return Check(
        name="python", state="ok" if enough else "failed", detail=found, fix="" if enough else "use 3.11 or later"
    )


def _platform() -> Check:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check(name="platform", state="ok", detail=f"{platform.platform(terse=True)}, {cpus} processors")


def _home(home: Path) -> Check:
    """The state folder, or the nearest one above it, in which it would be made."""
    nearest = _existing(home)
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    detail = f"{home}" + ("" if home.exists() else ", made with the first run")
    fix = "" if writable else f"make {nearest} a folder you may write to, or choose another with --home"
    return Check(name="home", state="ok" if writable else "failed", detail=detail, fix=fix)


def _runtime(runtime: Path) -> Check:
    nearest = _existing(runtime)
    ours = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    if runtime.exists() and runtime.stat().st_uid != os.geteuid():
        ours = False
    fix = "" if ours else "set GOALKEEPER_RUNTIME_DIR to a folder of yours"
    return Check(name="runtime", state="ok" if ours else "failed", detail=str(runtime), fix=fix)


def _audit(settings: Settings) -> Check:
    """Where the heads of journals are signed, and with which key. None is made for it."""
    folder = settings.audit_folder
    try:
        public = public_key(folder)
        key = "the key is made with the first run" if public is None else f"key {key_id(public)}: {public_file(folder)}"
        usable(folder)
        fix = _outside(folder, settings.home)
    except Unsignable as error:
        key, fix = str(error), f"see to {folder}, or choose another folder with GOALKEEPER_AUDIT_DIR"
    return Check(name="audit", state="warning" if fix else "ok", detail=f"heads in {folder}; {key}", fix=fix)


def _outside(folder: Path, home: Path) -> str:
    """What could alter a journal must not reach the heads that are signed for it."""
    inside = folder.resolve().is_relative_to(home.resolve())
    return f"choose a folder outside {home} with GOALKEEPER_AUDIT_DIR" if inside else ""


def _existing(path: Path) -> Path:
    return next((p for p in (path, *path.parents) if p.exists()), path)


def _space(home: Path) -> Check:
    free = shutil.disk_usage(_existing(home)).free / 1e9
    enough = free >= MIN_FREE_GB
    fix = "" if enough else f"free some space: less than {MIN_FREE_GB:g} GB is left"
    return Check(name="disk", state="ok" if enough else "warning", detail=f"{free:.1f} GB free", fix=fix)


def _libraries() -> Check:
    missing = [name for name in LOCAL if find_spec(name) is None]
    if not missing:
        return Check(name="libraries", state="ok", detail="all that local jobs import is installed")
    fix = "pip install 'goalkeeper[local]'"
    return Check(name="libraries", state="warning", detail=f"missing: {', '.join(missing)}", fix=fix)


def _isolation() -> Check:
    """Whether jobs that train can be kept from the holdout. Tried in a process of its own."""
    command = [sys.executable, "-I", "-m", "tools.backends.local.isolation"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name="isolation", state="warning", detail=f"could not be tried: {error}")
    said = (done.stdout.strip() or done.stderr.strip().rpartition("\n")[2])[:300]
    if done.returncode == 0:
        return Check(name="isolation", state="ok", detail=f"sandboxed: {said}")
    fix = "allow unprivileged user namespaces; until then reports say `encrypted` or `none`"
    return Check(name="isolation", state="warning", detail=said, fix=fix)


def _backend(settings: Settings, open_session: Callable[[Settings], Service]) -> Check:
    """Whether the backend answers a listing. A home that does not exist yet is not made for it."""
    if not settings.home.exists():
        return Check(name="backend", state="ok", detail=f"{settings.backend}, not used yet")
    try:
        with open_session(settings.model_copy(update={"brain": "rules"})) as session:  # nothing is to be understood
            owned = len(session.sweep(release=False))
    except (GoalkeeperError, ToolError, OSError) as error:
        return Check(name="backend", state="failed", detail=f"{settings.backend}: {error}", fix="see the message")
    return Check(name="backend", state="ok", detail=f"{settings.backend} answers; {owned} resources are listed")

"""Starting the host of an endpoint: once, detached, and not believed before it can be asked."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.backends.local.endpoint_output import ENVIRONMENT, tail
from tools.backends.local.endpoint_records import LOCK, LOG, START, Start, endpoint_folder
from tools.backends.local.leftovers import clear
from tools.backends.local.registry import TAGS, Identity, Registration, read_json, write_json
from tools.backends.local.serving_client import published
from tools.backends.local.watchdog import attend
from tools.errors import Cause, Failed, NotFound, Transient, Unknown
from tools.language import tr
from tools.ports import Tags

HOST_WITHIN_S = 60.0
"""How long a host may take to be there, on a machine that is busy."""
NOBODY = Identity(pid=0, ticks=0)


def ensure(runtime: Path, endpoint: str, tags: Tags) -> None:
    """There is a living host afterwards, started here or by another process. Failed, Transient, Unknown."""
    folder = endpoint_folder(runtime, endpoint)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _exclusive(folder.parent):
        try:
            published(runtime, endpoint)
            return
        except NotFound:
            _forget(folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        write_json(folder / START, Start(name=endpoint, tags=tags))
        write_json(folder / TAGS, _announced(endpoint, tags))
        _launch(folder)
    _await_published(runtime, endpoint)
    attend(runtime)


def remove_folders(folder: Path, tags: Registration | None) -> None:
    """Remove what an endpoint that has ended left on the disk."""
    clear(tags.debris if tags is not None else (), folder)
    shutil.rmtree(folder, ignore_errors=True)


def _announced(endpoint: str, tags: Tags) -> Registration:
    """What stands in the folder until the host has written itself in: nothing to end, and a lease to sweep by."""
    made = Registration(
        kind="endpoint",
        id=endpoint,
        run=tags.run,
        call=tags.call,
        owner=tags.owner,
        lease_until=tags.lease_until,
        started=time.time(),
        process=NOBODY,
    )
    return made.leased(tags.lease_until)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """One starter of hosts at a time. Transient when another one does not come to an end."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    deadline = time.monotonic() + HOST_WITHIN_S
    try:
        while not _took(handle):
            if time.monotonic() > deadline:
                raise Transient(
                    tr("another process is starting an endpoint in {folder} and does not finish", folder=folder)
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def _took(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget(folder: Path) -> None:
    """Remove what a dead host left; a host that is just starting holds the lock and keeps its folder."""
    if not folder.exists():
        return
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if _took(handle):
            tags = read_json(folder / TAGS, Registration)
            remove_folders(folder, tags)
    finally:
        os.close(handle)


def _launch(folder: Path) -> None:
    """Start the detached host and wait until it can be asked. Failed with its own words when it does not come up."""
    with (folder / LOG).open("wb") as log:
        starter = subprocess.Popen(
            [sys.executable, "-I", "-m", "tools.backends.local.endpoint", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=ENVIRONMENT,
            cwd="/",
        )
    try:
        code = starter.wait(timeout=HOST_WITHIN_S)
    except subprocess.TimeoutExpired as error:
        raise Unknown(
            tr("the endpoint host was started and is not ready after {limit:g} s", limit=HOST_WITHIN_S)
        ) from error
    finally:
        starter.kill()  # only the waiting half: the host itself is detached
        starter.wait()
    if code != 0:
        said = tail(folder / LOG, 8)
        cause: Cause = "missing_dependency" if any("ModuleNotFoundError" in line for line in said) else "unknown"
        shutil.rmtree(folder, ignore_errors=True)
        raise Failed(tr("the endpoint host did not come up: {said}", said=" | ".join(said)), cause=cause)


def _await_published(runtime: Path, endpoint: str) -> None:
    deadline = time.monotonic() + HOST_WITHIN_S
    while True:
        try:
            published(runtime, endpoint)
            return
        except NotFound as error:
            if time.monotonic() > deadline:
                raise Unknown(tr("endpoint {endpoint} was started and is not there", endpoint=endpoint)) from error
            time.sleep(0.02)

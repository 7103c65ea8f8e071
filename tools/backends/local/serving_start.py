"""Starting the host of an endpoint: once, detached, and not believed before it can be asked."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tools.backends.local.endpoint_output import ENVIRONMENT, tail
from tools.backends.local.endpoint_records import LOCK, LOG, PUBLISHED, START, Start, endpoint_folder
from tools.backends.local.leftovers import clear
from tools.backends.local.owners import Drafts
from tools.backends.local.registry import TAGS, Identity, Registration, alive, identify, read_json, write_json
from tools.backends.local.serving_client import published
from tools.backends.local.watchdog import attend
from tools.errors import Cause, Failed, NotFound, Transient, Unknown
from tools.language import tr
from tools.ports import Tags

HOST_WITHIN_S = 60.0
"""How long a host may take to be there, on a machine that is busy."""
NOBODY = Identity(pid=0, ticks=0)
STARTER = "starter.json"
"""Who starts the host: its `Identity`, written when it began."""


def ensure(runtime: Path, endpoint: str, tags: Tags, drafts: Drafts | None = None) -> None:
    """There is a living host afterwards, started here or by another process. Superseded, Failed, Transient, Unknown.

    Of several starters one puts the folder there, by a rename. None holds a lock meanwhile: one that falls asleep is
    waited for no longer than a host may take, and then its folder makes way.
    """
    folder = endpoint_folder(runtime, endpoint)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    making, deadline = drafts or Drafts(folder.parent), time.monotonic() + HOST_WITHIN_S + 1.0
    while not _there(runtime, endpoint):
        if not _coming(folder) and _announce(folder, endpoint, tags, making):
            _launch(folder, making)
            _await_published(runtime, endpoint)
        elif time.monotonic() > deadline:
            raise Transient(
                tr("another process is starting an endpoint in {folder} and does not finish", folder=folder),
                why="capacity",
            )
        else:
            time.sleep(0.02)
    attend(runtime)


def _there(runtime: Path, endpoint: str) -> bool:
    try:
        published(runtime, endpoint)
    except NotFound:
        return False
    return True


def _coming(folder: Path) -> bool:
    """Somebody has put the folder there and starts its host just now, or the host is on its way."""
    if (folder / PUBLISHED).exists():
        return False  # its host was there, and is not any more
    starter = read_json(folder / STARTER, Identity)
    try:
        young = abs(time.time() - (folder / STARTER).stat().st_mtime) < HOST_WITHIN_S
    except OSError:
        young = False
    return (young and starter is not None and alive(starter)) or _held(folder)


def _announce(folder: Path, endpoint: str, tags: Tags, making: Drafts) -> bool:
    """Put the folder there, whole and at once, in place of what a dead host left; False when another was faster."""
    with making.draft(".draft-") as draft, making.draft(".old-") as aside:
        write_json(draft / START, Start(name=endpoint, tags=tags))
        write_json(draft / TAGS, _announced(endpoint, tags))
        write_json(draft / STARTER, identify(os.getpid()))
        old = read_json(folder / TAGS, Registration)
        try:
            if folder.exists():
                clear(old.debris if old is not None else (), folder)
                making.move(folder, aside / "old")
            making.move(draft, folder)
        except OSError:
            return False
    return True


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


def _held(folder: Path) -> bool:
    """A host has the folder's lock."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _launch(folder: Path, making: Drafts) -> None:
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
        if not _held(folder):
            with making.draft(".old-") as aside, suppress(OSError):  # another has moved it
                making.move(folder, aside / "old")
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

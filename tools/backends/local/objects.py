"""Named files and folders below `<home>/objects`. Whole or not there: a reader never sees half of one."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tools.backends.local.owners import Drafts
from tools.digest import digest
from tools.errors import Conflict, Invalid, NotFound
from tools.language import tr

if TYPE_CHECKING:
    from tools.epochs import Tenure

WORK = ".work"
"""Where objects come into being, on the same file system as their final place."""
KEYS = ".keys"
"""One file for each key, holding it: a folder's parts are no objects of their own."""


class LocalObjects:
    """Objects of one home. Part of an object is reached by a longer key: `jobs/ID/model`."""

    def __init__(self, home: Path, drafts: Drafts | None = None) -> None:
        self.root = Path(os.path.realpath(home)) / "objects"
        self._drafts = drafts

    def fenced(self, tenure: Tenure) -> LocalObjects:
        """The same in the hands of that owner of a run. Superseded."""
        return LocalObjects(self.root.parent, Drafts(self.work).fenced(tenure))

    @property
    def work(self) -> Path:
        """A folder for what will become an object by a rename; made when it is not there."""
        path = self.root / WORK
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def place(self, key: str) -> Path:
        """Where an object lies or would lie. Invalid for a key that is not one."""
        return self.root / checked(key)

    def put(self, key: str, source: Path) -> str:
        """Store a copy, in place of what had this key before. NotFound without a source; Conflict inside a file."""
        checked(key)
        if not source.exists():
            raise NotFound(tr("There is nothing at {source} to store as {key}.", source=source, key=key))
        with self._making.draft("put-") as draft:
            content = draft / "new"
            if source.is_dir():
                shutil.copytree(source, content)
            else:
                shutil.copyfile(source, content)
            found = digest(content)
            self.take(key, content)
        return found

    @property
    def _making(self) -> Drafts:
        return self._drafts or Drafts(self.work)

    def take(self, key: str, content: Path) -> None:
        """Make a file or folder that lies below `work` the object, by a rename. Conflict inside a file."""
        target, making = self.place(key), self._making
        with making.draft("old-") as aside:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._note(key)
                if target.exists():
                    making.move(target, aside / "old")
                making.move(content, target)
            except (FileExistsError, NotADirectoryError) as error:
                raise Conflict(
                    tr("Object {key} would lie inside a file: {strerror}.", key=key, strerror=error.strerror)
                ) from error

    def fetch(self, key: str) -> Path:
        """The place of the content itself: read it, never write to it."""
        path = self.place(key)
        if not path.exists():
            raise NotFound(tr("There is no object {key}.", key=key))
        return path

    def digest(self, key: str) -> str:
        return digest(self.fetch(key))

    def names(self, prefix: str) -> Sequence[str]:
        """Keys that start with this text, sorted."""
        notes = self.root / KEYS
        keys = (note.read_text(encoding="utf-8") for note in notes.glob("[0-9a-f]*")) if notes.is_dir() else ()
        return tuple(sorted(key for key in keys if key.startswith(prefix) and (self.root / key).exists()))

    def remove(self, key: str) -> None:
        """Moved aside by a rename first: nobody meets half of it."""
        target, making = self.place(key), self._making
        with making.draft("old-") as aside:
            if target.exists():
                making.move(target, aside / "old")
            self._noted(key).unlink(missing_ok=True)

    def _noted(self, key: str) -> Path:
        return self.root / KEYS / hashlib.sha256(key.encode()).hexdigest()

    def _note(self, key: str) -> None:
        folder = self.root / KEYS
        folder.mkdir(mode=0o700, exist_ok=True)
        draft = folder / f".{os.getpid()}"
        draft.write_text(key, encoding="utf-8")
        draft.replace(self._noted(key))


def checked(key: str) -> str:
    """The key itself, when it is relative, with forward slashes, and leads nowhere else."""
    parts = PurePosixPath(key).parts
    wrong = (
        not parts
        or "/".join(parts) != key
        or any(part.startswith(".") for part in parts)
        or any(mark in key for mark in ("\\", "\0"))
        or key.startswith("/")
    )
    if wrong:
        raise Invalid(f"object key {key!r}: use relative names with '/', none starting with '.', no '\\'")
    return key

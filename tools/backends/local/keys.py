"""One key pair a run, on this machine only: the public key closes the holdout, the private one opens it.

It makes and names the files; which job is handed which is decided by the job's specification.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from tools.errors import Invalid

NAMES = ("holdout.public", "holdout.private")


class Keys:
    """The key pairs of all runs below a runtime folder: 32 raw bytes a file, mode 0600."""

    def __init__(self, runtime: Path) -> None:
        self._root = runtime / "keys"

    def path(self, run: str, name: str) -> Path:
        """The file of a run's key; the pair is made on first need. Invalid for a secret there is none of."""
        if name not in NAMES:
            raise Invalid(f"secret {name!r}: there are {' and '.join(NAMES)}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", run):
            raise Invalid(f"run {run!r}: use letters, digits, '.', '_' and '-'")
        folder = self._root / run
        if not folder.is_dir():
            self._make(folder)
        return folder / name

    def _make(self, folder: Path) -> None:
        """Both files appear at once; of two makers the first one wins."""
        from nacl.public import PrivateKey  # 20 ms that only the first sealed job of a run needs

        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=self._root, prefix=".draft-"))
        private = PrivateKey.generate()
        _write(draft / "holdout.private", bytes(private))
        _write(draft / "holdout.public", bytes(private.public_key))
        try:
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft)
            if not folder.is_dir():
                raise


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)

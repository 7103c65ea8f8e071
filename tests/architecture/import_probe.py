"""Imports the modules named on the command line and prints what our own code did to the world while it was imported.

Run as a program, in a process of its own. What third-party modules do while *they* are imported is theirs: the walk
outwards from an event stops at the import system.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
EFFECTS = (
    "os.chdir", "os.chmod", "os.fork", "os.link", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename",
    "os.rmdir", "os.symlink", "os.system", "os.unsetenv", "_thread.start_new_thread", "shutil.", "socket.",
    "sqlite3.connect", "subprocess.Popen", "tempfile.",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main(names: list[str]) -> None:
    found: set[str] = set()
    read = os._Environ.__getitem__

    def watched(self: os._Environ[str], key: str) -> str:
        _note(found, f"reads the environment variable {key}")
        return read(self, key)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event.startswith(EFFECTS):
            _note(found, event)
        elif event == "open" and isinstance(args[2], int) and args[2] & WRITING:
            _note(found, f"writes {args[0]!r}")

    setattr(os._Environ, "__getitem__", watched)  # noqa: B010 - an assignment would need a type to be ignored
    sys.addaudithook(hook)
    for name in names:
        importlib.import_module(name)
    print("\n".join(sorted(found)))


def _note(found: set[str], what: str) -> None:
    """Blame our nearest line. What a library that is called reads of the environment is the library's own affair."""
    frame = sys._getframe(1).f_back
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") or ("site-packages" in file and "environment variable" in what):
            return
        if file.startswith(ROOT) and not file.endswith("import_probe.py") and "site-packages" not in file:
            found.add(f"{os.path.relpath(file, ROOT)}:{frame.f_lineno} {what}")
            return
        frame = frame.f_back


if __name__ == "__main__":
    main(sys.argv[1:])

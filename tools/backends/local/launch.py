"""What a supervisor is told: one plain JSON file, read without pydantic because it must start in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from tools.language import Language

NAME = "launch.json"


class Launch(NamedTuple):
    """One job, with every path absolute and resolved."""

    id: str
    program: str
    """A recipe's name, or `command`."""
    argv: tuple[str, ...]
    """The user's own command; empty for a recipe."""
    folder: str
    """Where the program starts."""
    box: str
    """The folder the program may write to: `inputs.json`, `out/`, `tmp/`, `home/`, `checkpoint/`."""
    home: str
    """Whose objects: `out/` becomes `jobs/ID` there once the program has succeeded."""
    environment: dict[str, str]
    """Variables for the user's own command, over those of the user's shell."""
    readable: tuple[str, ...]
    """Mounts and secrets: what the program may read beside its programs and libraries."""
    hide: tuple[str, ...]
    """What the program must not find, wherever it appears."""
    sandbox: bool
    network: bool
    disk_bytes: int | None
    """How much the program may write into its box; None: what the disk can spare."""
    time_limit_s: float
    grace_s: float
    """Between SIGTERM and SIGKILL."""
    language: Language = "en"
    """What is said of the job is said in this language."""

    @property
    def out(self) -> Path:
        return Path(self.box) / "out"

    def write(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(self._asdict()), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Launch:
        fields = json.loads((folder / NAME).read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**{**fields, **lists})

"""What a folder of policies holds, or what is shipped where it holds nothing: texts, limits, cases and all faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from policies.faults import Fault, PolicyFaults
from policies.limits import Limits, load_limits
from tools.language import tr

LIMITS = "limits.yaml"
CASES = "cases"
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The files of a policy set, as far as they can be read."""

    texts: Mapping[str, str]
    """Name → Cedar text."""
    folder: Traversable | Path
    limits: Limits | None
    """None: a fault says why."""
    own_limits: bool
    faults: tuple[Fault, ...] = ()

    def cases(self) -> tuple[Mapping[str, str], tuple[Fault, ...]]:
        """Name → YAML text of the cases that lie beside the policies, and what cannot be read."""
        faults: list[Fault] = []
        place = self.folder / CASES
        return (_texts(place, ".yaml", faults) if place.is_dir() else {}), tuple(faults)


def read_folder(folder: Path | None = None) -> Folder:
    """The shipped set, or a user's: its `limits.yaml` and its `*.cedar` files stand in the place of ours."""
    shipped = files("policies")
    if folder is None:
        return Folder(texts=_texts(shipped, ".cedar", []), folder=shipped, limits=load_limits(), own_limits=True)
    faults: list[Fault] = []
    if not folder.is_dir():
        faults.append(Fault(place=str(folder), what=tr("there is no such folder")))
        return Folder(texts={}, folder=folder, limits=None, own_limits=False, faults=tuple(faults))
    own = (folder / LIMITS).exists()
    limits = None
    try:
        limits = load_limits(_read(folder / LIMITS) if own else None)
    except PolicyFaults as error:
        faults += error.faults
    unread: list[Fault] = []
    texts = _texts(folder, ".cedar", unread)
    if not texts and not unread:
        texts = _texts(shipped, ".cedar", [])
    return Folder(texts=texts, folder=folder, limits=limits, own_limits=own, faults=(*faults, *unread))


def _texts(folder: Traversable | Path, ending: str, faults: list[Fault]) -> dict[str, str]:
    """Name → text of every file with that ending; what cannot be read is added to the faults."""
    found = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(ending):
            try:
                found[file.name] = _read(file)
            except PolicyFaults as error:
                faults += error.faults
    return found


def _read(file: Traversable | Path) -> str:
    try:
        with file.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise PolicyFaults(Fault(place=file.name, what=tr("is larger than {most} KiB", most=MAX_BYTES // 1024)))
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyFaults(Fault(place=file.name, what=tr("cannot be read: {error}", error=error))) from error

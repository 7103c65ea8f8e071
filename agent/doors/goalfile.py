"""Goal files: YAML in, what was asked out, or every fault of the file at once."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from agent.doors.goal_fields import PART, WHOLE
from agent.doors.goal_paths import project_of
from agent.doors.sheet import Fields, Sheet, Spot, entries, near
from agent.errors import Fault, InvalidRequest
from agent.stated import Stated, StatedPart
from agent.wording import clean
from tools.record import Record
from tools.yaml_tree import Entries, Items, Node, Place, Scalar, parse

MAX_BYTES = 256 * 1024
MAX_PARTS = 50
TOP = ("goal", "name", "parts", *WHOLE, *(name for name in PART if name != "name"))


class GoalFile(Record):
    """What one goal file asks for."""

    text: str
    source: str
    """`file:PATH`"""
    folder: str
    """Absolute: where the file's relative paths start."""
    stated: Stated


def load(path: Path, current: Path) -> GoalFile:
    """Read a goal file. InvalidRequest with every fault as `FILE:LINE:COLUMN field`.

    Relative paths in it start at its own folder and must stay inside its project.
    """
    file = clean(str(path))
    text = _text(path, file)
    folder = path.absolute().parent
    sheet = Sheet(file=file, folder=folder, project=project_of(path, current))
    root, flaws = parse(text)
    for flaw in flaws:
        sheet.fault(flaw.at, Spot(), flaw.what, flaw.fix)
    goal, stated = _goal(sheet, root) if root is not None else (None, Stated())
    if root is None and not flaws:
        _empty(sheet)
    if faults := sheet.faults():
        raise InvalidRequest(*faults)
    return GoalFile(text=goal or "", source=f"file:{path}", folder=str(folder), stated=stated)


def _text(path: Path, file: str) -> str:
    """The file's text; one fault when it is no readable UTF-8 file of modest size."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidRequest(Fault(place=file, what="is not a file", fix="name a goal file, or state the goal"))
        with path.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        missing = isinstance(error, OSError) and error.errno == errno.ENOENT
        reason = "there is no such file" if missing else f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidRequest(Fault(place=file, what=reason)) from error
    if len(raw) > MAX_BYTES:
        raise InvalidRequest(Fault(place=file, what=f"is larger than {MAX_BYTES // 1024} KiB"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        fault = Fault(place=f"{file}:{line}:{column}", what="is not UTF-8", fix="save the file as UTF-8")
        raise InvalidRequest(fault) from error


def _empty(sheet: Sheet) -> None:
    sheet.fault(Place(line=1, column=1), Spot(), "the file is empty", "write `goal:` and what you want")


def _goal(sheet: Sheet, root: Node) -> tuple[str | None, Stated]:
    """The text and the fields of the document."""
    if isinstance(root, Scalar) and root.text is None:
        _empty(sheet)
        return None, Stated()
    if not isinstance(root, Entries):
        sheet.fault(root.at, Spot(), "a goal file is a mapping", "write `goal:` and what you want")
        return None, Stated()
    known = {key.text: (key, value) for key, value in root.entries}
    _unknown(sheet, root)
    whole = entries(sheet, _only(root, WHOLE), Spot(), WHOLE) or {}
    name = entries(sheet, _only(root, {"name": PART["name"]}), Spot(), {"name": PART["name"]}) or {}
    values = whole | name | {"parts": _parts(sheet, root), "places": sheet.places}
    goal = _words(sheet, known["goal"][1]) if "goal" in known else None
    if "goal" not in known:
        sheet.fault(root.at, Spot(written="goal"), "is missing", "say in words what you want")
    return goal, Stated.model_validate(values)


def _unknown(sheet: Sheet, root: Entries) -> None:
    for key, _ in root.entries:
        name = key.text or ""
        if name not in TOP:
            fix = "write it inside `data:`" if name in ("label", "uri") else near(name, TOP)
            sheet.fault(key.at, Spot().key(name), "is not a known field", fix)


def _only(root: Entries, fields: Fields) -> Entries:
    return Entries(at=root.at, entries=tuple((k, v) for k, v in root.entries if k.text in fields))


def _words(sheet: Sheet, node: Node) -> str | None:
    """The goal's text: several lines are welcome, control characters are not."""
    spot = Spot(written="goal")
    if not isinstance(node, Scalar):
        sheet.fault(node.at, spot, "must be a text")
        return None
    text = (node.text or "").strip()
    if not text:
        sheet.fault(node.at, spot, "is empty", "say in words what you want")
    elif any(clean(line) != line.strip() for line in text.splitlines()):
        sheet.fault(node.at, spot, "holds control characters")
    return text or None


def _parts(sheet: Sheet, root: Entries) -> tuple[StatedPart, ...]:
    """The parts under `parts:`, or the one whose fields stand at the top."""
    listed = next(((k, v) for k, v in root.entries if k.text == "parts"), None)
    top = _only(root, {name: read for name, read in PART.items() if name != "name"})
    if listed is None:
        return _top(sheet, top)
    for key, _ in top.entries:
        sheet.fault(key.at, Spot().key(key.text or ""), "stands at the top beside `parts:`", "move it into its part")
    node = listed[1]
    if not isinstance(node, Items) or len(node.items) > MAX_PARTS:
        sheet.fault(node.at, Spot(written="parts"), f"must be a list of at most {MAX_PARTS} parts")
        return ()
    spot = Spot(canon="parts", written="parts")
    parts = []
    for index, item in enumerate(node.items):
        at = spot.item(index)
        sheet.said(item.at, at)
        values = entries(sheet, item, at, PART)
        parts.append(_part(values or {}))
    return tuple(parts)


def _top(sheet: Sheet, top: Entries) -> tuple[StatedPart, ...]:
    """The one part whose fields stand at the top of the file, if any do."""
    if not top.entries:
        return ()
    values = entries(sheet, top, Spot(canon="parts.0"), PART) or {}
    return (_part(values),)


def _part(values: dict[str, object]) -> StatedPart:
    """The part; a metric of one's own with a formula is computed from predictions on the holdout."""
    part = StatedPart.model_validate(values)
    if part.clauses is None or not part.metrics:
        return part
    own = {f"custom:{name}" for name in part.metrics}
    clauses = tuple(c.model_copy(update={"where": "holdout"}) if c.metric in own else c for c in part.clauses)
    return part.model_copy(update={"clauses": clauses})

"""The model file: written so that equal models have equal bytes, opened only if every type in it is expected.

The lists in `allowed` are constant; a file cannot widen them. Nothing in a file is called before all of it was checked.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from tools.errors import Refused
from tools.language import tr
from tools.recipes.models.allowed import ALLOWED, LOADERS
from tools.recipes.records import Family

_SCHEMA = "schema.json"
_DAMAGE = (AttributeError, EOFError, ImportError, LookupError, OSError, TypeError, ValueError, zipfile.BadZipFile)
"""What skops raises for a file whose parts do not fit together."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save(pipeline: Any, path: Path) -> None:
    """Write a fitted pipeline; models with equal state give equal bytes."""
    path.write_bytes(_canonical(skops.io.dumps(pipeline)))


def load(path: Path, family: Family) -> Any:
    """The pipeline. Refused, naming them, when the file holds types that a model of this family does not."""
    return opened(path, ALLOWED[family], LOADERS, whose=tr("no {family} model", family=family))


def opened(path: Path, types: frozenset[str], loaders: frozenset[str], *, whose: str) -> Any:
    """What the file holds, of these types and rebuilt in these ways only. Refused for any other, or a damaged file."""
    content = path.read_bytes()
    if strangers := sorted(set(_strangers(content, types, loaders))):
        raise Refused(
            tr(
                "{name} is not opened: it holds {strangers}, which {whose} holds",
                name=path.name,
                strangers=", ".join(strangers[:8]),
                whose=whose,
            )
        )
    try:
        return skops.io.loads(content, trusted=sorted(types))
    except UntrustedTypesFoundException as error:
        raise Refused(tr("{name} is not opened: {error}", name=path.name, error=error)) from error
    except _DAMAGE as error:
        raise Refused(
            tr("{name} is damaged: {kind}: {error}", name=path.name, kind=type(error).__name__, error=error)
        ) from error


def _strangers(content: bytes, types: frozenset[str], loaders: frozenset[str]) -> Iterator[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Refused(tr("the model file is damaged: {error}", error=error)) from error
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        if ("__class__" in node or "__module__" in node) and name not in types:
            yield name
        if "__loader__" in node and node["__loader__"] not in loaders:
            yield str(node["__loader__"])


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the schema, at any depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _canonical(content: bytes) -> bytes:
    """The same archive without what differs from process to process: memory addresses, times, padding."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str) and node["file"] in files:
            node["file"] = names.setdefault(node["file"], f"{len(names)}{Path(node['file']).suffix}")
    content_of = {new: _plain(files[old], Path(new).suffix) for old, new in names.items()}
    return _archive(content_of | {_SCHEMA: json.dumps(schema).encode()})


def _archive(content_of: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in content_of.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED, 1)
    return whole.getvalue()


def _plain(content: bytes, suffix: str) -> bytes:
    """An array file with the unused bytes between a record's fields set to zero; a sparse one packed without times."""
    if suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return _archive({name: packed.read(name) for name in packed.namelist()})
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if not array.dtype.names:
        return content
    clean = np.zeros(array.shape, dtype=array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean)
    return buffer.getvalue()

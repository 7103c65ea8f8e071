"""Named folders and files, held in memory and written to a scratch folder when somebody fetches them."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

from tools.backends.sim.gate import Gate, Moment
from tools.backends.sim.state import Tree, digest_of, resolve
from tools.errors import Conflict, Invalid, NotFound
from tools.ports import Objects


class SimObjects(Objects):
    """Objects of a simulated world. A key may point into a stored folder."""

    def __init__(self, gate: Gate, *, folder: Path | None = None, beside: SimObjects | None = None) -> None:
        """`folder`: where fetched content lies; without one, where that of `beside` does, else a temporary folder that
        goes with this object."""
        self._gate = gate
        self._state = gate.state
        self._folder = folder
        self._beside = beside

    def put(self, key: str, source: Path) -> str:
        return self.store(key, read_tree(source))

    def store(self, key: str, tree: Tree) -> str:
        """`put` of content that is in memory."""

        def keep(moment: Moment) -> str:
            digest = digest_of(tree)
            there = resolve(self._state.objects, _checked(key))
            self._refuse_inside_file(key)
            if there is None or digest_of(there) != digest:
                for inner in [name for name in self._state.objects if name.startswith(key + "/")]:
                    del self._state.objects[inner]
                self._state.objects[key] = dict(tree)
                self._state.called(moment.now, "objects.put", target=key, args={"digest": digest})
            return digest

        return self._gate.call("objects.put", key, keep)

    def fetch(self, key: str) -> Path:
        return self._gate.call("objects.fetch", key, lambda _: self._lay_out(key, self._content(key)))

    def digest(self, key: str) -> str:
        return self._gate.call("objects.digest", key, lambda _: digest_of(self._content(key)))

    def names(self, prefix: str) -> Sequence[str]:
        def look(moment: Moment) -> Sequence[str]:
            del moment
            return sorted(key for key in self._state.objects if key.startswith(prefix))

        return self._gate.call("objects.names", prefix, look)

    def remove(self, key: str) -> None:
        def end(moment: Moment) -> None:
            _checked(key)
            inner = [name for name in self._state.objects if name == key or name.startswith(f"{key}/")]
            for name in inner:
                del self._state.objects[name]
            if inner:
                self._state.called(moment.now, "objects.remove", target=key)

        self._gate.call("objects.remove", key, end)

    def _content(self, key: str) -> Tree:
        tree = resolve(self._state.objects, _checked(key))
        if tree is None:
            raise NotFound(f"there is no object {key!r}")
        return tree

    def _refuse_inside_file(self, key: str) -> None:
        parts = key.split("/")
        for cut in range(1, len(parts)):
            around = resolve(self._state.objects, "/".join(parts[:cut]))
            if around is not None and "" in around:
                raise Conflict(f"object {key} would lie inside the file {'/'.join(parts[:cut])}")

    def _lay_out(self, key: str, tree: Tree) -> Path:
        place = self._scratch() / digest_of(tree)[:32] / key.rpartition("/")[2]
        if "" not in tree:
            place.mkdir(parents=True, exist_ok=True)
        for name, content in tree.items():
            path = place / name if name else place
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return place

    def _scratch(self) -> Path:
        if self._folder is None and self._beside is not None:
            return self._beside._scratch()
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="goalkeeper-sim-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder


def read_tree(source: Path) -> Tree:
    """The content of a file or folder. NotFound."""
    if source.is_file():
        return {"": source.read_bytes()}
    if not source.is_dir():
        raise NotFound(f"there is no file or folder {source}")
    return {p.relative_to(source).as_posix(): p.read_bytes() for p in sorted(source.rglob("*")) if p.is_file()}


def _checked(key: str) -> str:
    """The key, when it is relative and stays inside. Invalid."""
    if not key or "\\" in key or "\0" in key or any(part[:1] in ("", ".") for part in key.split("/")):
        raise Invalid(f"object key {key!r}: use relative names with '/', none starting with '.', no '\\'")
    return key

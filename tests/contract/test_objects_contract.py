"""Every backend's objects keep what `tools.ports.Objects` promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from benches import Bench

from tools.digest import digest
from tools.errors import Conflict, Invalid, NotFound


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.bin").write_bytes(bytes(range(256)))
    return folder


def test_a_folder_comes_back_as_it_was_with_the_digest_of_its_content(bench: Bench, source: Path) -> None:
    objects, key = bench.backend.objects, bench.name("sets/one")
    assert objects.put(key, source) == objects.digest(key) == digest(source)
    place = objects.fetch(key)
    assert {p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()} == {"a.txt", "deep/b.bin"}
    assert digest(place) == digest(source)


def test_a_file_and_a_part_of_a_folder_are_objects_too(bench: Bench, source: Path) -> None:
    objects, key = bench.backend.objects, bench.name("sets/two")
    objects.put(key, source)
    assert objects.fetch(f"{key}/deep/b.bin").read_bytes() == bytes(range(256))
    assert objects.digest(f"{key}/a.txt") == digest(source / "a.txt")
    assert objects.digest(f"{key}/deep") == digest(source / "deep")
    single = bench.name("files/a")
    assert objects.put(single, source / "a.txt") == digest(source / "a.txt")
    assert objects.fetch(single).read_text() == "a"


def test_putting_again_replaces_and_putting_the_same_changes_nothing(bench: Bench, source: Path) -> None:
    objects, key = bench.backend.objects, bench.name("sets/three")
    first = objects.put(key, source)
    assert objects.put(key, source) == first
    (source / "a.txt").unlink()
    (source / "c.txt").write_text("c")
    second = objects.put(key, source)
    assert second != first
    assert objects.digest(key) == second
    assert not (objects.fetch(key) / "a.txt").exists()


def test_names_are_the_keys_that_were_put_under_a_prefix_in_order(bench: Bench, source: Path) -> None:
    objects, word = bench.backend.objects, bench.name("listed")
    for key in (f"{word}/b", f"{word}/a"):
        objects.put(key, source / "a.txt")
    assert list(objects.names(f"{word}/")) == [f"{word}/a", f"{word}/b"]
    assert not objects.names(f"{word}/c")


def test_keys_with_a_common_start_are_a_folder_that_a_put_replaces_whole(bench: Bench, source: Path) -> None:
    objects, word = bench.backend.objects, bench.name("common")
    objects.put(f"{word}/b.bin", source / "deep" / "b.bin")
    assert objects.digest(word) == digest(source / "deep")
    assert (objects.fetch(word) / "b.bin").is_file()
    objects.put(word, source)
    assert objects.digest(word) == digest(source)
    assert list(objects.names(word)) == [word]


def test_nothing_can_lie_inside_a_file(bench: Bench, source: Path) -> None:
    objects, key = bench.backend.objects, bench.name("files/b")
    objects.put(key, source / "a.txt")
    with pytest.raises(Conflict):
        objects.put(f"{key}/inside", source / "a.txt")
    assert objects.fetch(key).read_text() == "a"


def test_what_is_not_there_is_not_found(bench: Bench, source: Path) -> None:
    objects, key = bench.backend.objects, bench.name("sets/four")
    objects.put(key, source)
    for missing in ("no/such", f"{key}/no-such", f"{key}/a.txt/inside"):
        with pytest.raises(NotFound):
            objects.fetch(missing)
        with pytest.raises(NotFound):
            objects.digest(missing)
    with pytest.raises(NotFound):
        objects.put(bench.name("sets/five"), source / "no-such")


def test_what_is_removed_is_gone_and_may_be_removed_again(bench: Bench, source: Path) -> None:
    objects, word = bench.backend.objects, bench.name("gone")
    objects.put(f"{word}/one", source)
    objects.put(f"{word}/two", source / "a.txt")
    for _ in range(2):
        objects.remove(f"{word}/one")
    with pytest.raises(NotFound):
        objects.fetch(f"{word}/one")
    assert list(objects.names(f"{word}/")) == [f"{word}/two"]
    assert objects.put(f"{word}/one", source) == digest(source), "its name is free again"


@pytest.mark.parametrize(
    "key", ["../up", "a/../../up", "/etc/passwd", "", ".", "a//b", "a/", "a\\b", "a\0b", ".hidden"]
)
def test_a_key_that_could_lead_elsewhere_is_refused_everywhere(bench: Bench, source: Path, key: str) -> None:
    objects = bench.backend.objects
    with pytest.raises(Invalid):
        objects.put(key, source)
    with pytest.raises(Invalid):
        objects.fetch(key)
    with pytest.raises(Invalid):
        objects.digest(key)
    with pytest.raises(Invalid):
        objects.remove(key)

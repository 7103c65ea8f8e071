"""Whether training data have changed, of files that are odd, away or too large to be read at every check."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.contract import Data, Part
from agent.standing import sources


def told(folder: Path, name: str = "rows.csv") -> str:
    return sources.content(Part(name="m", task="classification", data=(Data(uri=name, label="y"),)), str(folder))


@pytest.mark.timeout(10)
def test_what_cannot_be_read_is_not_known_and_is_not_waited_for(tmp_path: Path) -> None:
    assert told(tmp_path) == ""
    os.mkfifo(tmp_path / "rows.csv")
    assert told(tmp_path) == ""
    (tmp_path / "loop").symlink_to("loop")
    assert told(tmp_path, "loop") == ""


def test_large_files_and_folders_are_told_apart_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parts").mkdir()
    one = tmp_path / "parts" / "1.csv"
    one.write_text("a,y\n1,2\n")
    whole = told(tmp_path, "parts")
    monkeypatch.setattr(sources, "WHOLE_BYTES", 4)
    read: list[Path] = []
    monkeypatch.setattr(sources, "digest", read.append)
    large = told(tmp_path, "parts"), told(tmp_path, "parts/1.csv")
    assert all(large)
    assert large[0] != whole
    assert (told(tmp_path, "parts"), told(tmp_path, "parts/1.csv")) == large
    os.utime(one, (1, 1))
    assert told(tmp_path, "parts") != large[0]
    assert told(tmp_path, "parts/1.csv") != large[1]
    assert not read

"""Which folders hold opened holdouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import homes


def home(place: Path) -> Path:
    (place / "objects").mkdir(parents=True)
    (place / "goalkeeper.db").touch()
    return place


def test_every_home_below_a_folder_is_found_however_deep_it_lies(tmp_path: Path) -> None:
    found = {home(tmp_path / ".goalkeeper"), home(tmp_path / "a" / "b" / "experiments")}
    (tmp_path / "c" / "objects").mkdir(parents=True)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "goalkeeper.db").touch()
    assert set(map(Path, homes.below(str(tmp_path)))) == found
    assert [homes.is_home(str(p)) for p in (*found, tmp_path / "c", tmp_path / "d")] == [True, True, False, False]


def test_a_folder_that_is_a_home_itself_is_one(tmp_path: Path) -> None:
    assert list(homes.below(str(home(tmp_path)))) == [str(tmp_path)]


def test_a_folder_with_too_much_in_it_cannot_be_cleared(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}").touch()
    with pytest.raises(OSError, match="too many files"):
        list(homes.below(str(tmp_path), most=4))

"""What was evaluated, where it is a user's own command: its folder counts, beside the model."""

from __future__ import annotations

from pathlib import Path

from tools.recipes.own_program import digest_of_command


def test_another_program_command_or_model_is_another_digest(tmp_path: Path) -> None:
    folder, model = tmp_path / "project", tmp_path / "model"
    folder.mkdir()
    model.mkdir()
    (folder / "predict.py").write_text("one")
    (model / "weights").write_text("w")
    first = digest_of_command("python predict.py", folder, model)
    assert first == digest_of_command("python predict.py", folder, model)
    found = {first, digest_of_command("python predict.py --cheat", folder, model)}
    found.add(digest_of_command("python predict.py", folder, None))
    (folder / "predict.py").write_text("two")
    found.add(digest_of_command("python predict.py", folder, model))
    (model / "weights").write_text("x")
    found.add(digest_of_command("python predict.py", folder, model))
    assert len(found) == 5


def test_homes_and_caches_in_the_folder_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("one")
    before = digest_of_command("p", tmp_path, None)
    (tmp_path / ".goalkeeper" / "objects").mkdir(parents=True)
    (tmp_path / ".goalkeeper" / "goalkeeper.db").touch()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert digest_of_command("p", tmp_path, None) == before

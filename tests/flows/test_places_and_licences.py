"""Where data lies in one form, and which licences restrict what may be done with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.locations import NOWHERE, canonical
from tools.recipes import licences
from tools.recipes.probe import probe
from tools.recipes.probe_records import ProbeArgs
from tools.register import read_card

WORK = Path("/work")


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("a.csv", "/work/a.csv"),
        ("./x/../a.csv", "/work/a.csv"),
        ("../a.csv", "/a.csv"),
        ("/data//a.csv", "/data/a.csv"),
        ("/data/../etc/passwd", "/etc/passwd"),
        ("file:///etc/passwd", "/etc/passwd"),
        ("FILE:///etc/%70asswd", "/etc/passwd"),
        ("sklearn:iris", "sklearn:iris"),
        ("a:b.csv", "/work/a:b.csv"),
        ("s3://bucket/k", "s3://bucket/k"),
        ("S3://Bucket/K", "s3://bucket/K"),
        ("s3://team-a/../other/k", None),
        ("s3://team/a/../b", "s3://team/b"),
        ("s3://team//a/./b", "s3://team/a/b"),
        ("s3://team/a/%2e%2e/b", "s3://team/b"),
        ("s3://team/a/%252e%252e/b", "s3://team/b"),
        ("s3://team/%2e%2e/other", None),
        ("s3://team/a\\..\\b", "s3://team/b"),
        ("s3://", None),
        ("s3://../x", None),
        ("https://Host/x/../y", "https://host/y"),
        ("hf:org/name", "hf:org/name"),
        ("sklearn:../etc/passwd", None),
        ("sklearn:", None),
        ("", None),
        ("a\x00b", None),
        ("a\nb", None),
        ("\ud800", None),
        ("~nobody-of-that-name/x", None),
    ],
)
def test_a_place_has_one_form_and_what_is_no_place_lies_nowhere(place: str, found: str | None) -> None:
    said = canonical(place, WORK)
    assert said == found if found is not None else said.startswith(NOWHERE)
    said.encode()


def test_links_are_followed_and_a_circle_of_links_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "out").symlink_to("/etc")
    assert canonical("out/passwd", tmp_path) == "/etc/passwd"
    assert canonical("a", tmp_path).startswith(NOWHERE)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rest=st.text(max_size=30))
def test_a_remote_place_never_leaves_its_bucket(rest: str) -> None:
    said = canonical(f"s3://team/{rest}", WORK)
    assert said.startswith(("s3://team/", NOWHERE)) or said == "s3://team"
    assert not {"..", "."} & set(said.split("/"))
    assert canonical(said, WORK) == said or said.startswith(NOWHERE)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("cc-by-nc-4.0", "CC-BY-NC"),
        ("CC BY-NC-SA 4.0", "CC-BY-NC"),
        ("cc-by-nd-4.0", "CC-BY-ND"),
        ("llama3.1", "Llama-Community"),
        ("meta-llama-3-community", "Llama-Community"),
        ("gemma", "Gemma-Terms"),
        ("openrail++", "RAIL"),
        ("bigscience-openrail-m", "RAIL"),
        ("fair-noncommercial-research-license", "non-commercial"),
        ("Research only", "research-only"),
        (["mit", "cc-by-nc-4.0"], "CC-BY-NC"),
        ("cc-by-4.0", None),
        ("cc-by-sa-4.0", None),
        ("mit", None),
        ("apache-2.0", None),
        ("other", None),
        ("llamas-are-nice", None),
        ("trail", None),
        (None, None),
        (7, None),
        ({"name": "cc-by-nc"}, None),
    ],
)
def test_a_licence_restricts_when_the_table_has_it(said: object, found: str | None) -> None:
    assert licences.restricting(said) == ((found,) if found is not None else ())


CARD = "---\nlicense: {}\ntags: [a]\n---\n# Data\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"README.md": CARD.format("cc-by-nc-4.0")}, ("CC-BY-NC",)),
        ({"README.md": CARD.format("mit")}, ()),
        ({"README.md": "# Data\nlicense: cc-by-nc-4.0\n"}, ()),
        ({"README.md": "---\nlicense: [\n---\n"}, ()),
        ({"README.md": "---\n- a\n---\n"}, ()),
        ({"README.md": "---\nlicense: other\nlicense_name: llama3\n---\n"}, ("Llama-Community",)),
        ({"LICENSE": "Creative Commons Attribution-NonCommercial 4.0"}, ("CC-BY-NC",)),
        ({"LICENSE.txt": "for academic research use only"}, ("research-only",)),
        ({"LICENSE": "Apache License, Version 2.0"}, ()),
        ({"COPYING": "x" * 9000 + "attribution-noncommercial"}, ()),
        ({"README.md": "---\nlicense: " + "a" * 300 + "\n---\n"}, ()),
        ({}, ()),
    ],
)
def test_what_stands_beside_the_data_says_of_them(
    tmp_path: Path, files: dict[str, str], found: tuple[str, ...]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    assert licences.beside(tmp_path / "a.csv") == found
    assert licences.beside(tmp_path) == found


def test_the_probe_says_what_is_personal_and_how_it_is_licensed(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD.format("cc-by-nc-4.0"))
    rows = "\n".join(f"u{n}@example.com,{n},{n % 2}" for n in range(60))
    (tmp_path / "a.csv").write_text(f"contact_email,x,label\n{rows}\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "b.csv").write_text("x,label\n" + "\n".join(f"{n},{n % 2}" for n in range(60)))
    found = probe(ProbeArgs(source=str(tmp_path / "a.csv"), label="label"))
    assert (found.personal, found.licences) == (("contact_email",), ("CC-BY-NC",))
    twin = probe(ProbeArgs(source=str(tmp_path / "plain" / "b.csv"), label="label"))
    assert (twin.personal, twin.licences) == ((), ())


def test_texts_by_class_are_looked_at_for_what_is_personal(tmp_path: Path) -> None:
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        for n in range(6):
            (tmp_path / kind / f"{n}.txt").write_text(f"write to jo{n}@example.com about it")
    found = probe(ProbeArgs(source=str(tmp_path)))
    assert found.personal == ("text",)


def test_a_models_card_says_how_it_is_licensed(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"label": "y", "task": "classification", "license": "gemma"}')
    assert read_card(tmp_path).licences == ("Gemma-Terms",)
    (tmp_path / "model.json").write_text('{"label": "y", "license": ["gemma", 7]}')
    (tmp_path / "README.md").write_text(CARD.format("openrail"))
    assert read_card(tmp_path).licences == ("Gemma-Terms", "RAIL")
    (tmp_path / "model.json").write_text('{"label": "y"}')
    (tmp_path / "README.md").unlink()
    assert read_card(tmp_path).licences == ()

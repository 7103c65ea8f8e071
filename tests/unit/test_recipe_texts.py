"""Texts to frequencies: any script, terms by the training rows alone, the same after being written and read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tools.recipes.card import Input
from tools.recipes.models.encode import matrix
from tools.recipes.models.texts import Texts

TEXT = Input(name="评论", datatype="BYTES", kind="text")
STARS = Input(name="stars", datatype="FP64", kind="number")
CITY = Input(name="city", datatype="BYTES", kind="category")


def rows(texts: list[str | None], stars: list[float | None] | None = None, city: list[str | None] | None = None) -> Any:
    given: dict[str, list[Any]] = {
        "评论": texts,
        "stars": stars or [1.0] * len(texts),
        "city": city or ["a"] * len(texts),
    }
    return matrix(given, [TEXT, STARS, CITY], lowercase=False)


def front() -> Texts:
    return Texts(texts=[0], category=[2])


def test_chinese_is_read_by_its_characters_and_english_by_words_too() -> None:
    chinese = front().fit(rows(["质量很好", "质量很差", "很好"]))
    assert [*chinese.terms_] == ["0 characters"]
    assert {"质量", "很好", "量很"} <= set(chinese.terms_["0 characters"].split("\n"))
    english = front().fit(rows(["it works very well", "it works", "very bad"]))
    assert set(english.terms_["0 words"].split("\n")) == {"it", "works", "it works", "very"}


def test_a_text_is_counted_by_the_terms_of_the_training_rows_alone() -> None:
    seen = front().fit(rows(["很好 用", "很好", "很差"], [0.0, 5.0, 10.0]))
    told = seen.transform(rows(["很好", "☃", None], [10.0, 5.0, 99.0], ["a", "b", None])).toarray()
    terms = seen.terms_["0 characters"].split("\n")
    known = {term for term, weight in zip(terms, told[0], strict=False) if weight}
    assert {"很", "好", "很好", " 很好"} <= known
    assert {term for term, weight in zip(terms, told[1], strict=False) if weight} == {" "}
    assert not told[2, : len(terms)].any()
    assert told.min() >= 0.0
    assert told.max() <= 1.0


def test_texts_without_a_term_are_all_zeros() -> None:
    empty = front().fit(rows(["", None, "  "]))
    assert not empty.transform(rows(["anything", ""])).toarray()[:, 0].any()


@pytest.mark.parametrize("text", ["a\nb", "\n", "\u2028x", "a" * 10_000, "\x00", "𠮷野家", "é"])
def test_whatever_a_text_holds_it_is_read_the_same_after_a_round_trip(text: str) -> None:
    made = front().fit(rows([text, text, "b c d"]))
    back = front()
    back.__setstate__(made.__getstate__())
    one, two = (f.transform(rows([text, "b c d"])).toarray() for f in (made, back))
    np.testing.assert_array_equal(one, two)
    assert "_counters" not in made.__getstate__()

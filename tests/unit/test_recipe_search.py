"""The search over parameters: defaults first, within its limits, the same for the same seed."""

from __future__ import annotations

import math

import pytest

from tools.recipes.faults import BadInput
from tools.recipes.models.families import SUITED, Choice, Params, Size, space
from tools.recipes.models.search import Limits, Method, Trial, best, history, search

SPACE = {
    "x": Choice(low=0.01, high=100.0, scale="log", grid=(1.0, 10.0, 0.1)),
    "k": Choice(scale="list", grid=("a", "b")),
}


def bowl(params: Params, share: float = 1.0) -> float:
    """Smallest at x = 20 and k = b, and the same on any share of the rows."""
    assert 0 < share <= 1
    x = params["x"]
    assert isinstance(x, float)
    return abs(math.log(x / 20)) + (0.0 if params["k"] == "b" else 1.0)


def looked(method: Method, *, trials: int = 20, seconds: float = 60.0, seed: int = 0) -> list[Trial]:
    return search(
        SPACE,
        bowl,
        method=method,
        better="min",
        limits=Limits(trials=trials, seconds=seconds),
        seed=seed,
        told=lambda *_: None,
    )


@pytest.mark.parametrize("method", ["grid", "random", "tpe"])
def test_the_defaults_are_tried_first_and_the_seed_decides_the_rest(method: Method) -> None:
    trials = looked(method, trials=6)
    assert trials[0].params == {"x": 1.0, "k": "a"}
    assert trials == looked(method, trials=6)
    assert trials != looked(method, trials=6, seed=1)
    assert len(trials) == 6


def test_a_grid_tries_every_point_once_and_ends() -> None:
    trials = looked("grid", trials=100)
    assert len({tuple(t.params.items()) for t in trials}) == len(trials) == 6


def test_a_search_learns() -> None:
    assert min(t.value for t in looked("tpe", trials=40) if t.value is not None) < 0.5


def test_no_trial_starts_after_the_time() -> None:
    assert len(looked("tpe", seconds=1e-9)) == 1


def test_the_best_is_the_earliest_of_equals_and_never_one_without_a_value() -> None:
    trials = [Trial(params={"n": i}, value=v) for i, v in enumerate([None, 0.5, 0.7, 0.7, 0.2])]
    assert best(trials, "max").params == {"n": 2}
    assert best(trials, "min").params == {"n": 4}
    assert history(trials, "max") == (0.5, 0.7, 0.7, 0.7)


def test_every_trial_is_told_with_the_best_so_far() -> None:
    said: list[tuple[int, float | None, float | None]] = []
    search(
        SPACE,
        bowl,
        method="random",
        better="min",
        limits=Limits(trials=5, seconds=60.0),
        seed=0,
        told=lambda n, last, top: said.append((n, last.value, top.value)),
    )
    values = [v for _, v, _ in said if v is not None]
    assert [n for n, _, _ in said] == [1, 2, 3, 4, 5]
    assert [top for _, _, top in said] == [min(values[: i + 1]) for i in range(5)]


def test_a_family_of_the_other_task_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(BadInput, match="use one of logistic_regression, random_forest, gradient_boosting"):
        space("ridge", "classification", size=Size())
    with pytest.raises(BadInput, match="is not for regression; use one of linear_regression"):
        space("naive_bayes", "regression", size=Size())
    assert "class_weight" in space("random_forest", "classification", size=Size())
    assert "class_weight" not in space("random_forest", "regression", size=Size())


def test_the_defaults_lie_in_the_range_that_is_searched() -> None:
    for task, families in SUITED.items():
        for family in families:
            for choice in space(family, task, size=Size()).values():
                numbers = [float(v) for v in choice.grid if isinstance(v, int | float)]
                assert choice.scale == "list" or all(choice.low <= v <= choice.high for v in numbers)


def test_a_kernel_is_searched_only_where_there_are_few_rows() -> None:
    assert "kernel" in space("svm", "classification", size=Size(rows=1000))
    assert "kernel" not in space("svm", "classification", size=Size(rows=50_000))
    assert "kernel" not in space("svm", "text-classification", size=Size(sparse=True))


def pruned_search(seed: int = 0, method: Method = "random") -> tuple[list[Trial], list[tuple[Params, float]]]:
    fits: list[tuple[Params, float]] = []

    def score(params: Params, share: float) -> float:
        fits.append((params, share))
        return bowl(params) + 0.1 * (1 - share)

    trials = search(
        SPACE,
        score,
        method=method,
        better="min",
        limits=Limits(trials=20, seconds=60.0),
        seed=seed,
        told=lambda *_: None,
        shares=(0.1, 0.3, 1.0),
    )
    return trials, fits


@pytest.mark.parametrize("method", ["random", "tpe", "grid"])
def test_a_trial_that_does_worse_on_a_share_ends_there(method: Method) -> None:
    trials, fits = pruned_search(method=method)
    pruned = [t for t in trials if t.pruned]
    assert all(t.value is None for t in pruned)
    assert not any(t.pruned for t in trials[:4])
    assert len([share for _, share in fits if share == 1.0]) == len(trials) - len(pruned)
    assert trials == pruned_search(method=method)[0]
    if method != "grid":
        assert pruned
    whole = [t.value for t in trials if t.value is not None]
    assert best(trials, "min").value == min(whole)
    assert len(history(trials, "min")) == len(trials)


def test_a_share_without_a_value_prunes_nothing() -> None:
    trials = search(
        SPACE,
        lambda params, share: bowl(params) if share == 1.0 else None,
        method="random",
        better="min",
        limits=Limits(trials=12, seconds=60.0),
        seed=0,
        told=lambda *_: None,
        shares=(0.1, 1.0),
    )
    assert not any(t.pruned for t in trials)
    assert all(t.value is not None for t in trials)

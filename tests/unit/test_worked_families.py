"""Which families did well in earlier searches, and what a later search makes of it."""

from __future__ import annotations

import pytest
from earlier import past
from given import URI, part, survey

from agent import search
from agent.past import Past
from agent.survey import DataFacts, Survey
from agent.worked import worked
from tools.recipes.probe_records import Probe


def searched(family: str, value: float | None, **more: object) -> Past:
    return past(10.0, family=family, metric="accuracy", value=value, **more)


def test_families_are_ordered_by_how_they_did_beside_each_other() -> None:
    known = [
        searched("logistic_regression", 0.9, run="a", met=True),
        searched("random_forest", 0.95, run="a", met=True, usd_micro=40),
        searched("logistic_regression", 0.7, run="b", met=False),
        searched("random_forest", 0.8, run="b", met=False, usd_micro=20),
        searched("svm", 0.75, run="b", met=False),
    ]
    order = worked(known, task="classification", rows=1000, columns=10)
    assert [(w.family, w.searches, w.better, w.met) for w in order] == [
        ("random_forest", 2, 1.0, 1),
        ("svm", 1, 0.5, 0),
        ("logistic_regression", 2, 0.0, 1),
    ]
    assert order[0].usd_micro == 30


def test_of_an_error_the_smaller_is_the_better() -> None:
    known = [
        past(10.0, task="regression", family="ridge", metric="rmse", value=5.0),
        past(10.0, task="regression", family="lasso", metric="rmse", value=3.0),
    ]
    assert [w.family for w in worked(known, task="regression", rows=1000, columns=10)] == ["lasso", "ridge"]


def test_searches_of_other_tasks_sizes_and_without_a_value_order_nothing() -> None:
    known = [searched("svm", None), searched("knn", 0.9, rows=1_000_000), searched("mlp", 0.9, task="regression")]
    assert worked(known, task="classification", rows=1000, columns=10) == ()


def seen(*known: Past) -> Survey:
    """Data of 1000 rows and ten columns, with this behind it."""
    names = [{"name": f"c{i}", "kind": "number", "missing": 0, "distinct": 9} for i in range(10)]
    profile = Probe.model_validate({"source": URI, "format": "bundled", "rows": 1000, "columns": names})
    data = {URI: DataFacts(uri=URI, source=URI, profile=profile)}
    return survey().model_copy(update={"data": data, "past": known})


def rungs(known: Survey) -> list[tuple[str, ...]]:
    return [search.families(part(), level, known) for level in range(search.LEVELS)]


USUAL = rungs(seen())
FOREST = (
    searched("logistic_regression", 0.9, met=True),
    searched("gradient_boosting", 0.9, met=True),
    searched("random_forest", 0.95, met=True),
)


def test_a_search_begins_with_what_was_best_of_all_and_met_what_was_wanted() -> None:
    learnt = rungs(seen(*FOREST))
    assert learnt[0] == ("random_forest",)
    assert set(learnt[:2]) == set(USUAL[:2])


@pytest.mark.parametrize(
    "known",
    [
        [p.model_copy(update={"met": False}) for p in FOREST],
        [p.model_copy(update={"met": None}) for p in FOREST],
        [p.model_copy(update={"rows": 1_000_000}) for p in FOREST],
        [p.model_copy(update={"task": "regression"}) for p in FOREST],
        [*FOREST, searched("logistic_regression", 0.99, run="other"), searched("random_forest", 0.9, run="other")],
        [FOREST[2]],
    ],
)
def test_what_was_not_better_than_all_others_on_such_data_changes_no_search(known: list[Past]) -> None:
    assert rungs(seen(*known)) == USUAL


def test_named_families_and_unseen_data_are_searched_as_ever() -> None:
    assert search.families(part(models=("svm",)), 0, seen(*FOREST)) == ("svm",)
    unread = seen(*FOREST).model_copy(update={"data": {}})
    assert rungs(unread) == USUAL

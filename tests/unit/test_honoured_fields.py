"""Nothing a contract says is left out in silence: each field is honoured, or named as a reason."""

from __future__ import annotations

import pytest
from given import ACCURACY, clause, contract, part

from agent.brain.rules.planning.honoured import FIELDS, unsupported
from agent.contract import Clause, Data, Join, Objective, Part, Placement, Prepare, Search, Split, Train, Upkeep


def test_every_field_of_a_part_has_a_say() -> None:
    assert set(FIELDS) == set(Part.model_fields)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"upkeep": Upkeep(retrain_on=("drift",))}, "say deploy"),
        ({"strategy": "canary", "steps": (50.0, 10.0)}, "rise"),
        ({"strategy": "direct", "min_replicas": 5, "max_replicas": 2}, "leave no number between"),
        ({"strategy": "direct", "replicas": 3, "max_replicas": 2}, "outside"),
        ({"strategy": "direct", "replicas": 0}, "no server left"),
        ({"strategy": "direct", "target": "a b"}, "name"),
        ({"source_models": ("m:v1",)}, "existing model"),
    ],
)
def test_what_cannot_be_honoured_is_named(said: dict[str, object], named: str) -> None:
    assert any(named in why for why in unsupported(contract(part(ACCURACY, **said))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "op", "value"),
    [("latency_p95_ms", ">=", 1000), ("error_rate", ">=", 0.5), ("availability", "<=", 0.5), ("drift_psi", "<=", 0.2)],
)
def test_a_live_clause_that_nothing_proves_is_named(metric: str, op: str, value: float) -> None:
    wanted = part(clause(metric, op, value, "live"), strategy="direct")
    assert unsupported(contract(wanted))


def test_a_budget_a_month_is_named() -> None:
    assert any("per month" in why for why in unsupported(contract(part(ACCURACY), budget_usd=5.0, budget_per="month")))
    assert unsupported(contract(part(ACCURACY), budget_usd=5.0, placement=Placement())) == ()


A, B = Data(uri="a.csv", label="y"), Data(uri="b.csv")
ITEMS = Data(uri="items.csv", role="items")
HELD = Data(uri="t.csv", role="holdout")
ON_ID = Join(left="a.csv", right="b.csv", on=("id",))
RATE = clause("custom:rate", ">=", 0.2)
COMMAND = Train(kind="command", value="python train.py", predict="python predict.py")


def relative(to: str, metric: str = "accuracy", where: str = "holdout") -> Clause:
    return clause(metric, ">=", 0.0, where, relative={"to": to, "delta": 0.02})


def why(**said: object) -> str:
    """Why no plan can be made for a part that says this; empty when one can."""
    clauses = said.pop("clauses", ())
    return "; ".join(unsupported(contract(part(*clauses, **said))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said",
    [
        {"data": (A, HELD)},
        {"data": (A, B), "prepare": Prepare(join=(ON_ID,))},
        {
            "data": (A, B, Data(uri="c.csv")),
            "prepare": Prepare(join=(Join(left="b.csv", right="c.csv", on=("k",)), ON_ID)),
        },
        {"metrics": {"custom:rate": "mean(prediction == 1)"}, "clauses": (RATE,)},
        {"metrics": {"rate": "mean(prediction == 1)"}, "clauses": (RATE,)},
        {"clauses": (relative("baseline"), relative("incumbent", "f1"))},
        {"clauses": (relative("other"),), "models": ("random_forest", "svm")},
        {"clauses": (relative("other"),), "source_models": ("old:v1",)},
        {"task": "text-classification", "models": ("naive_bayes", "svm")},
        {"task": "image-classification", "data": (Data(uri="./photos", format="images"),)},
        {"task": "clustering", "data": (Data(uri="a.csv", role="unlabelled"),), "models": ("kmeans",)},
        {"task": "forecasting", "data": (Data(uri="a.csv", label="y", time="day", id="shop"),)},
        {"task": "recommendation", "data": (Data(uri="a.csv", role="interactions"),), "models": ("item_knn",)},
        {
            "task": "recommendation",
            "data": (Data(uri="a.csv", role="interactions", label="y"),),
            "models": ("random_forest",),
        },
        {"task": "custom", "train": COMMAND, "clauses": (clause("rmse", "<=", 2.0),)},
        {"task": "evaluate", "source_models": ("credit:v9",), "data": (HELD,), "clauses": (ACCURACY,)},
        {"task": "compare", "source_models": ("m:v3", "./models/new"), "data": (HELD,)},
        {"task": "estimate", "data": ()},
        {"task": "prepare", "data": (A,), "clauses": ()},
        {"train": Train(kind="recipe", value="random_forest")},
    ],
)
def test_what_can_be_honoured_is_not_refused(said: dict[str, object]) -> None:
    assert why(**said) == ""


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"data": (A, B)}, "b.csv (train) would be left out: say on which columns it is joined"),
        ({"data": (A, ITEMS)}, "items.csv (items) would be left out"),
        ({"data": (A,), "prepare": Prepare(join=(ON_ID,))}, "b.csv is to be joined and is not among the data: a.csv"),
        (
            {
                "data": (A, B, Data(uri="c.csv"), Data(uri="d.csv")),
                "prepare": Prepare(join=(ON_ID, Join(left="c.csv", right="d.csv", on=("k",)))),
            },
            "c.csv (train) would be left out",
        ),
        ({"data": (HELD,)}, "t.csv alone gives nothing to train on"),
        ({"data": ()}, "no data is named"),
        ({"data": (A, HELD, Data(uri="u.csv", role="holdout"))}, "one data set is the holdout"),
        (
            {"data": (A, Data(uri="b.csv", label="z")), "prepare": Prepare(join=(ON_ID,))},
            "y and z are both called the label",
        ),
        ({"data": (A, Data(uri="u.csv", role="unlabelled"))}, "rows without a label have no use"),
        ({"data": (Data(uri="hf:conll2003", format="hub"),)}, "nothing here reads hub data: download the set"),
        ({"data": (Data(uri="a.txt", format="text"),)}, "give one text a row"),
        ({"data": (Data(uri="pics", format="images"),)}, "holds images, and classification reads tables"),
        ({"data": (A, HELD), "split": Split(holdout=0.3)}, "leave the split's share or date out"),
        ({"split": Split(by="group")}, "needs the column that says the group"),
        ({"task": "forecasting", "split": Split(by="random")}, "would show it the future"),
        ({"task": "clustering", "split": Split(by="stratified")}, "nothing can be stratified"),
        ({"prepare": Prepare(clean=("augment", "scale"))}, "nothing here augments rows"),
        ({"task": "token-classification"}, "nothing here labels single words"),
        ({"task": "causal-lm"}, "nothing here trains or tunes a language model"),
        ({"task": "text-classification", "models": ("bert-base-cased",)}, "no recipe here trains bert-base-cased"),
        ({"task": "text-classification", "models": ("bert-base-cased",)}, "the nearest are logistic_regression"),
        ({"models": ("resnet-18", "svm")}, "no recipe here trains resnet-18"),
        ({"train": Train(kind="recipe", value="bert")}, "no recipe here trains bert"),
        (
            {"task": "recommendation", "models": ("random_forest",), "data": (Data(uri="a.csv", role="interactions"),)},
            "ranks by the class of a row",
        ),
        ({"task": "custom"}, "needs the program that trains it"),
        ({"train": COMMAND, "search": Search(trials=3)}, "leave the search out"),
        ({"task": "forecasting", "train": COMMAND}, "one prediction a row"),
        ({"clauses": (RATE,)}, "custom:rate has no formula"),
        ({"metrics": {"rate": "mean(prediction)"}}, "the formula of rate is asked for by no clause"),
        (
            {"objective": Objective(metric="custom:rate", direction="max"), "metrics": {"rate": "mean(x)"}},
            "optimises a formula",
        ),
        ({"objective": Objective(metric="rmse", direction="min")}, "rmse is not defined for classification"),
        ({"clauses": (relative("other"),)}, "is to be compared with another model: name both"),
        ({"clauses": (relative("other"),), "models": ("svm",)}, "name both"),
        ({"clauses": (relative("baseline", "latency_p95_ms", "live"),), "strategy": "direct"}, "measures the baseline"),
        ({"clauses": (clause("perplexity", "<=", 9.0),)}, "perplexity is not defined for classification"),
        ({"task": "compare", "source_models": ("m:v3",)}, "a comparison needs two existing models"),
        ({"task": "evaluate", "source_models": ("m:v3", "m:v4")}, "one existing model at a time"),
        ({"task": "evaluate", "source_models": ("s3://bucket/model",)}, "is not on this machine"),
        ({"task": "evaluate", "source_models": ("m:v3",), "split": Split(holdout=0.3)}, "leave the split out"),
        ({"task": "evaluate", "source_models": ("m:v3",), "data": (A, HELD)}, "measured on one table"),
        ({"task": "evaluate", "train": COMMAND}, "evaluate trains nothing"),
        (
            {"task": "evaluate", "clauses": (relative("baseline"),), "data": (HELD,)},
            "of the baseline needs training rows",
        ),
        (
            {"clauses": (relative("baseline", "custom:rate"),), "metrics": {"rate": "mean(prediction == 1)"}},
            "custom:rate is not computed of the baseline",
        ),
        ({"task": "deploy", "data": (), "clauses": (ACCURACY,), "strategy": "direct"}, "a part of its own"),
        ({"source_models": ("m:v1",)}, "nothing here trains on from an existing model"),
    ],
)
def test_what_cannot_be_done_is_named_with_the_nearest_that_can(said: dict[str, object], named: str) -> None:
    assert named in why(**said)


def test_a_model_that_is_named_is_never_replaced_in_silence() -> None:
    said = why(task="image-classification", data=(Data(uri="./x", format="images"),), models=("vit-b-16", "svm"))
    assert said.count("no recipe here trains") == 1
    assert "vit-b-16" in said

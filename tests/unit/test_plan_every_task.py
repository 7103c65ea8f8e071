"""Plans for every task: which data is prepared how, what is trained, and with what the model is compared."""

from __future__ import annotations

import pytest
from given import ACCURACY, TERMS, clause, contract, endpoint, part, survey

from agent import search
from agent.brain.protocol import Change
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose
from agent.contract import Clause, Contract, Data, Join, Objective, Part, Placement, Prepare, Search, Split, Train
from agent.learning import task_of
from agent.plan import Plan, Step
from agent.survey import DataFacts, Survey, existing, incumbent, is_path
from agent.validate import faults
from tools.ports import EndpointState
from tools.recipes.probe_records import Probe
from tools.record import Json


def seen(wanted: Contract, *endpoints: EndpointState, **more: object) -> Survey:
    """A survey that found every file where the goal says it is."""
    facts = {d.uri: DataFacts(uri=d.uri, source=f"/data/{d.uri}") for p in wanted.parts for d in p.data}
    return survey(*endpoints).model_copy(update={"data": facts} | more)


def planned(one: Part, *endpoints: EndpointState, known: Survey | None = None, **more: object) -> Plan:
    """The plan for one part, which can be run."""
    wanted = contract(one, **more)
    assert unsupported(wanted) == ()
    plan = propose(wanted, known or seen(wanted, *endpoints), TERMS)
    assert faults(plan, wanted) == ()
    return plan


def args(plan: Plan, id_: str) -> Json:
    step = plan.step(id_)
    assert step is not None, [s.id for s in plan.steps]
    return step.args


def tools(plan: Plan) -> list[str]:
    return [s.tool for s in plan.steps]


def relative(to: str, metric: str = "accuracy", **more: object) -> Clause:
    return clause(metric, ">=", 0.0, relative={"to": to, "delta": 0.02}, **more)


SALES = Data(uri="sales.csv", label="revenue", time="week", id="store")
CLICKS = Data(uri="clicks.csv", role="interactions", time="at")
ITEMS = Data(uri="items.csv", role="items")
HELD = Data(uri="held.csv", role="holdout", label="y")


def test_every_table_join_and_role_reaches_the_preparation() -> None:
    joined = Prepare(join=(Join(left="clicks.csv", right="items.csv", on=("item_id",), how="left"),))
    plan = planned(part(task="recommendation", data=(ITEMS, CLICKS), prepare=joined))
    prepared = args(plan, "prepare")
    assert [(t["name"], t["role"], t["source"]) for t in prepared["tables"]] == [
        ("clicks.csv", "interactions", "/data/clicks.csv"),
        ("items.csv", "items", "/data/items.csv"),
    ]
    assert prepared["joins"] == [{"left": "clicks.csv", "right": "items.csv", "on": ["item_id"], "how": "left"}]
    assert prepared["split"] == {"by": "time"}
    assert prepared["label"] is None
    tune = args(plan, "tune-item-knn")
    assert (tune["task"], tune["metric"], tune["roles"]) == (
        "recommendation",
        "ndcg_at_10",
        {"$ref": "prepare.roles"},
    )


def test_the_rows_come_from_the_table_that_nothing_is_joined_to() -> None:
    shops, sales = Data(uri="shops.csv"), Data(uri="sales.csv", label="y")
    join = Prepare(join=(Join(left="sales.csv", right="shops.csv", on=("shop",)),))
    plan = planned(part(data=(shops, sales), prepare=join))
    assert [t["name"] for t in args(plan, "prepare")["tables"]] == ["sales.csv", "shops.csv"]
    held = Prepare(join=(Join(left="held.csv", right="shops.csv", on=("shop",)),))
    plan = planned(part(ACCURACY, task="evaluate", data=(shops, HELD), prepare=held, source_models=("m:v1",)))
    tables = args(plan, "prepare")["tables"]
    assert [(t["name"], t["role"]) for t in tables] == [("held.csv", "holdout"), ("shops.csv", "train")]


def test_a_model_that_exists_is_measured_on_the_column_that_it_says_it_predicts() -> None:
    wanted = part(ACCURACY, task="evaluate", data=(Data(uri="new.csv", role="holdout"),), source_models=("m:v1",))
    known = seen(contract(wanted), labels={"m:v1": "late"})
    assert args(planned(wanted, known=known), "prepare")["label"] == "late"
    said = part(ACCURACY, task="evaluate", data=(HELD,), source_models=("m:v1",))
    assert (
        args(planned(said, known=known.model_copy(update={"data": seen(contract(said)).data})), "prepare")["label"]
        == "y"
    )
    assert args(planned(wanted), "prepare")["label"] is None


def test_precision_and_recall_together_are_sought_by_what_balances_them() -> None:
    both = [clause(m, ">=", 0.5, class_="fraud") for m in ("recall", "precision")]
    tune = next(s for s in planned(part(*both), known=survey()).steps if s.tool == "tune_model")
    assert (tune.args["metric"], tune.args["metric_class"]) == ("f1", "fraud")
    alone = next(s for s in planned(part(both[0], ACCURACY), known=survey()).steps if s.tool == "tune_model")
    assert alone.args["metric"] == "recall"


def test_own_holdout_data_is_passed_on_as_the_holdout() -> None:
    plan = planned(part(ACCURACY, data=(HELD, Data(uri="a.csv", label="y"))))
    tables = args(plan, "prepare")["tables"]
    assert [(t["name"], t["role"]) for t in tables] == [("a.csv", "train"), ("held.csv", "holdout")]


@pytest.mark.parametrize(
    ("task", "data", "split"),
    [
        ("classification", Data(uri="a.csv", label="y"), {"by": "stratified"}),
        ("text-classification", Data(uri="a.jsonl", label="y"), {"by": "stratified"}),
        ("regression", Data(uri="a.csv", label="y"), {"by": "random"}),
        ("clustering", Data(uri="a.csv"), {"by": "random"}),
        ("forecasting", SALES, {"by": "time"}),
        ("recommendation", Data(uri="a.csv", role="interactions"), {"by": "random"}),
        ("recommendation", CLICKS, {"by": "time"}),
    ],
)
def test_without_a_word_the_data_is_split_as_the_task_needs_it(task: str, data: Data, split: Json) -> None:
    assert args(planned(part(task=task, data=(data,))), "prepare")["split"] == split


def test_a_split_by_time_takes_the_column_that_says_the_time() -> None:
    plan = planned(part(task="forecasting", data=(SALES,), split=Split(by="time", at="2024-01-01")))
    prepared = args(plan, "prepare")
    assert prepared["split"] == {"by": "time", "column": "week", "at": "2024-01-01"}
    assert (prepared["time"], prepared["group"]) == ("week", "store")


@pytest.mark.parametrize(
    ("uri", "said", "task", "read"),
    [
        ("a.csv", None, "classification", "csv"),
        ("a.ndjson", None, "text-classification", "jsonl"),
        ("photos", None, "image-classification", "images"),
        ("photos/", "folder", "image-classification", "folder"),
        ("sklearn:iris", None, "classification", "bundled"),
    ],
)
def test_the_format_is_what_is_said_or_how_such_data_usually_lies(uri: str, said: str, task: str, read: str) -> None:
    plan = planned(part(task=task, data=(Data.model_validate({"uri": uri, "format": said, "label": "y"}),)))
    assert args(plan, "prepare")["tables"][0]["format"] == read


FIRST = {
    "text-classification": "logistic_regression",
    "image-classification": "logistic_regression",
    "forecasting": "exponential_smoothing",
    "clustering": "kmeans",
    "recommendation": "item_knn",
}


@pytest.mark.parametrize("task", FIRST)
def test_each_task_is_searched_from_its_simplest_family_with_families_that_fit_it(task: str) -> None:
    data = {"recommendation": CLICKS, "forecasting": SALES}.get(task, Data(uri="a.csv", label="y"))
    one = part(task=task, data=(data,))
    levels = [search.families(one, level) for level in range(search.LEVELS)]
    assert levels[0][0] == FIRST[task]
    assert all(task in search.FAMILIES[f] for level in levels for f in level)
    assert all(levels)


def test_recommendations_with_a_class_are_ranked_by_classifiers_and_others_by_neighbours() -> None:
    with_class = part(task="recommendation", data=(CLICKS.model_copy(update={"label": "bought"}),))
    assert search.families(with_class, 0) == ("logistic_regression", "gradient_boosting")
    assert search.families(part(task="recommendation", data=(CLICKS,)), 0) == ("item_knn", "matrix_factorization")


def test_a_recipe_that_is_named_is_trained_and_searched_on() -> None:
    named = part(train=Train(kind="recipe", value="random_forest"))
    plan = planned(named, known=survey())
    assert [s.id for s in plan.steps if s.tool == "tune_model"] == ["tune-random-forest"]
    assert search.can_search_on(named, 0)


@pytest.mark.parametrize(
    ("task", "data", "metric"),
    [("forecasting", SALES, "smape"), ("recommendation", CLICKS, "ndcg_at_10")],
)
def test_a_forecast_and_a_recommendation_are_always_compared_with_the_baseline(
    task: str, data: Data, metric: str
) -> None:
    found = args(planned(part(task=task, data=(data,))), "evaluate")
    assert found["against"] == [{"to": "baseline", "name": "baseline"}]
    assert [m["metric"] for m in found["measures"]] == [metric]


def test_what_decides_is_measured_beside_the_clauses_where_it_is_compared() -> None:
    wanted = part(
        clause("mae", "<=", 3.0),
        task="forecasting",
        data=(SALES,),
        objective=Objective(metric="smape", direction="min"),
    )
    assert [m["metric"] for m in args(planned(wanted), "evaluate")["measures"]] == ["mae", "smape"]
    assert [m["metric"] for m in args(planned(part(ACCURACY), known=survey()), "evaluate")["measures"]] == ["accuracy"]


def test_a_classifier_is_compared_with_the_baseline_when_the_goal_asks() -> None:
    plan = planned(part(relative("baseline")), known=survey())
    assert args(plan, "evaluate")["against"] == [{"to": "baseline", "name": "baseline"}]
    assert "against" not in args(planned(part(ACCURACY), known=survey()), "evaluate")


def test_the_incumbent_is_the_version_that_serves() -> None:
    plan = planned(part(relative("incumbent")), known=survey(endpoint(("v1", 20), ("v2", 80))))
    assert args(plan, "incumbent") == {"name": "tumours", "version": "v2"}
    found = args(plan, "evaluate")
    assert found["against"] == [{"to": "incumbent", "name": "tumours:v2"}]
    assert found["others"] == {"tumours:v2": {"$ref": "incumbent.key"}}
    evaluate = plan.step("evaluate")
    assert evaluate is not None
    assert "incumbent" in evaluate.needs


def test_without_an_endpoint_the_incumbent_is_the_newest_model_of_that_name() -> None:
    assert args(planned(part(relative("incumbent")), known=survey()), "incumbent") == {
        "name": "tumours",
        "version": None,
    }


def test_the_survey_looks_for_the_incumbent_that_a_clause_speaks_of() -> None:
    served = endpoint(("v2", 100))
    assert incumbent(part(), served) == "tumours:v2"
    assert existing(part(relative("incumbent")), {"tumours": served}) == ("tumours:v2",)
    assert existing(part(relative("baseline")), {"tumours": served}) == ()
    assert existing(part(task="evaluate"), {}) == ("tumours",)
    assert existing(part(relative("other"), source_models=("old:v1",)), {}) == ("old:v1",)


def test_named_candidates_are_compared_with_the_one_that_is_chosen() -> None:
    plan = planned(part(models=("svm", "random_forest")), known=survey())
    assert args(plan, "evaluate")["rivals"] == {"$ref": "select.rivals"}
    assert "rivals" not in args(planned(part(models=("svm",)), known=survey()), "evaluate")
    assert "rivals" not in args(planned(part(), known=survey()), "evaluate")


def test_a_named_existing_model_is_the_other_of_a_trained_one() -> None:
    plan = planned(part(relative("other"), source_models=("old:v1",)), known=survey())
    assert args(plan, "other1") == {"name": "old", "version": "v1"}
    assert args(plan, "evaluate")["others"] == {"old:v1": {"$ref": "other1.key"}}


def test_searching_on_finds_the_incumbent_once_and_compares_again() -> None:
    wanted = contract(part(relative("incumbent"), strategy="direct"))
    before = propose(wanted, survey(endpoint(("v1", 100))), TERMS)
    started = frozenset(s.id for s in before.steps[: [s.id for s in before.steps].index("evaluate") + 1])
    after = propose(
        wanted,
        survey(endpoint(("v1", 100))),
        TERMS,
        before=before,
        started=started,
        results={i: {"key": "k", "rivals": {}} for i in started},
        changes=(Change(part="model", what="search"),),
    )
    assert faults(after, wanted) == ()
    assert [s.id for s in after.steps if s.tool == "find_model"] == ["incumbent"]
    assert args(after, "evaluate-2")["against"] == [{"to": "incumbent", "name": "tumours:v1"}]
    register = after.step("register-2")
    assert register is not None


def test_an_existing_model_is_measured_on_the_named_table_and_nothing_is_trained() -> None:
    plan = planned(part(ACCURACY, task="evaluate", target="credit", source_models=("credit:v9",), data=(HELD,)))
    assert tools(plan) == ["prepare_data", "find_model", "evaluate_model"]
    assert [t["role"] for t in args(plan, "prepare")["tables"]] == ["holdout"]
    assert args(plan, "find") == {"name": "credit", "version": "v9"}
    found = args(plan, "evaluate")
    assert (found["model"], found["called"]) == ({"$ref": "find.key"}, "credit:v9")


def test_a_table_that_is_called_training_data_is_the_holdout_of_a_model_that_exists() -> None:
    plan = planned(part(ACCURACY, task="evaluate", target="credit", data=(Data(uri="a.csv", label="y"),)))
    assert [t["role"] for t in args(plan, "prepare")["tables"]] == ["holdout"]
    assert args(plan, "find") == {"name": "credit", "version": None}


def test_two_existing_models_are_compared_on_the_same_rows_and_nothing_is_deployed() -> None:
    better = Objective(metric="log_loss", direction="min")
    plan = planned(part(task="compare", source_models=("m:v3", "m:v4"), objective=better, data=(HELD,)))
    assert tools(plan) == ["prepare_data", "find_model", "find_model", "evaluate_model"]
    found = args(plan, "evaluate")
    assert found["measures"] == [{"metric": "log_loss"}]
    assert found["against"] == [{"to": "other", "name": "m:v4"}]
    assert (found["called"], found["others"]) == ("m:v3", {"m:v4": {"$ref": "find-2.key"}})


def test_of_several_models_every_pair_is_compared_once_in_one_look() -> None:
    plan = planned(part(task="compare", source_models=("a:v1", "b:v1", "c:v1"), data=(HELD,)))
    pairs = {(s.args["called"], a["name"]) for s in plan.steps if s.tool == "evaluate_model" for a in s.args["against"]}
    assert pairs == {("a:v1", "b:v1"), ("a:v1", "c:v1"), ("b:v1", "c:v1")}
    assert {s.round for s in plan.steps} == {0}


def test_a_model_in_a_folder_is_brought_first() -> None:
    one = part(ACCURACY, task="evaluate", source_models=("./models/new",), data=(HELD,))
    known = seen(contract(one), models={"./models/new": "/work/models/new"})
    plan = planned(one, known=known)
    assert args(plan, "find") == {"folder": "/work/models/new"}
    assert tools(plan)[1] == "bring_model"
    assert [is_path(n) for n in ("./m", "/m", "credit:v9", "credit")] == [True, True, False, False]


@pytest.mark.parametrize("name", ["data", "model"])
def test_a_model_whose_name_the_evaluation_uses_itself_gets_another(name: str) -> None:
    plan = planned(part(task="compare", source_models=("a:v1", name), data=(HELD,)))
    assert list(args(plan, "evaluate")["others"]) == [f"{name}:newest"]


def test_preparing_alone_ends_with_the_data() -> None:
    cleaned = Prepare(clean=("drop_duplicates", "impute"))
    plan = planned(part(task="prepare", data=(Data(uri="a.csv"),), prepare=cleaned))
    assert tools(plan) == ["prepare_data"]
    assert args(plan, "prepare")["clean"] == ["drop_duplicates", "impute"]
    assert args(plan, "prepare")["task"] == "clustering"


def test_an_estimate_starts_nothing_and_asks_for_what_the_goal_names() -> None:
    place = Placement(gpu="A100", gpu_count=4, gpu_memory_gb=80)
    plan = planned(part(task="estimate", data=()), placement=place, deadline_s=36000)
    assert tools(plan) == ["quote_cost"]
    found = args(plan, "quote")
    assert (found["gpu"], found["gpu_count"], found["seconds_high"]) == ("A100", 4, 36000)


def profiled(uri: str, task: str) -> Survey:
    columns = tuple({"name": f"c{i}", "kind": "number", "missing": 0, "distinct": 9} for i in range(5))
    label = {"name": "y", "kind": "number", "missing": 0, "distinct": 9, "suggested_task": task}
    told = {"source": uri, "format": "csv", "rows": 5000, "columns": columns, "label": label}
    facts = DataFacts(uri=uri, source=uri, profile=Probe.model_validate(told))
    return survey().model_copy(update={"data": {uri: facts}})


def test_an_estimate_with_data_says_how_long_machines_would_be_busy() -> None:
    one = part(task="estimate", data=(Data(uri="a.csv", label="y"),))
    known = args(planned(one, known=profiled("a.csv", "regression")), "quote")
    assert 0 < known["seconds_low"] < known["seconds_high"]
    assert args(planned(one), "quote")["seconds_high"] is None
    hub = one.model_copy(update={"models": ("llama-7b",)})
    assert args(planned(hub, known=profiled("a.csv", "regression")), "quote")["seconds_high"] is None


@pytest.mark.parametrize(
    ("one", "task"),
    [
        (part(clause("rmse", "<=", 1.0), task="custom"), "regression"),
        (part(clause("roc_auc", ">=", 0.9), task="custom"), "classification"),
        (part(task="evaluate", objective=Objective(metric="smape", direction="min"), data=(HELD,)), "regression"),
        (part(task="evaluate", data=(Data(uri="pics", format="images"),)), "image-classification"),
        (part(task="prepare", data=(Data(uri="a.csv", label="y"),)), "classification"),
        (part(task="prepare", data=(Data(uri="a.csv"),)), "clustering"),
    ],
)
def test_a_goal_that_names_no_task_is_about_what_its_metrics_or_its_data_say(one: Part, task: str) -> None:
    assert task_of(one) == task


def test_the_card_of_an_existing_model_and_the_look_of_the_label_say_the_task() -> None:
    one = part(ACCURACY, task="evaluate", source_models=("m:v1",), data=(Data(uri="a.csv", label="y"),))
    known = survey().model_copy(update={"tasks": {"m:v1": "text-classification"}})
    assert task_of(one, known) == "text-classification"
    assert task_of(part(task="prepare", data=one.data), profiled("a.csv", "forecasting")) == "forecasting"


def test_a_formula_reaches_the_evaluation_and_not_the_training() -> None:
    rate = clause("custom:rate", ">=", 0.2)
    plan = planned(part(rate, ACCURACY, metrics={"custom:rate": "mean(prediction == 1)"}), known=survey())
    found = args(plan, "evaluate")
    assert found["formulas"] == {"rate": "mean(prediction == 1)"}
    assert [m["metric"] for m in found["measures"]] == ["custom:rate", "accuracy"]
    tunes = [s for s in plan.steps if s.tool == "tune_model"]
    assert {(s.args["metric"], *(m["metric"] for m in s.args["measures"])) for s in tunes} == {("accuracy", "accuracy")}


def test_a_users_own_program_for_a_task_of_its_own_is_judged_by_its_metrics() -> None:
    own = Train(kind="command", value="python train.py", predict="python p.py")
    plan = planned(part(clause("mae", "<=", 2.0), task="custom", train=own, data=(Data(uri="a.csv", label="y"),)))
    assert args(plan, "prepare")["task"] == "regression"
    found = args(plan, "evaluate")
    assert (found["task"], found["predict"], found["folder"]) == ("regression", "python p.py", TERMS.folder)
    assert "rivals" not in found


def test_trials_of_a_number_are_kept_to_for_every_task() -> None:
    for task, data in (("forecasting", SALES), ("recommendation", CLICKS), ("clustering", Data(uri="a.csv"))):
        plan = planned(part(task=task, data=(data,), search=Search(trials=7)))
        spent: list[Step] = [s for s in plan.steps if s.tool == "tune_model"]
        assert sum(s.args["trials"] for s in spent) <= 7

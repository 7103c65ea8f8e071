"""What the fields of a goal file do to the contract of its text."""

from __future__ import annotations

from agent.contract import (
    Clause,
    Contract,
    Data,
    Join,
    Part,
    Placement,
    Prepare,
    Relative,
    Remark,
    Rollout,
    Search,
)
from agent.errors import Fault
from agent.stated import Stated, StatedPart, merge

ACCURACY = Clause(id="c1", metric="accuracy", op=">=", value=0.9, where="holdout")
TOLD = Contract(
    parts=(
        Part(
            name="model",
            task="classification",
            data=(Data(uri="penguins.csv", label="species"),),
            clauses=(ACCURACY,),
            rollout=Rollout(strategy="direct"),
        ),
    ),
    assumptions=(
        Remark(field="parts.0.rollout.strategy", text="direct, since the goal does not say how"),
        Remark(field="parts.0.split", text="a fifth is the holdout"),
    ),
)


def joined(stated: Stated, told: Contract = TOLD) -> Contract:
    contract, faults = merge(told, stated)
    assert faults == ()
    return contract


def faults(stated: Stated, told: Contract = TOLD) -> tuple[Fault, ...]:
    return merge(told, stated)[1]


def part(**fields: object) -> Stated:
    return Stated(parts=(StatedPart.model_validate(fields),))


def test_a_file_without_fields_changes_nothing() -> None:
    assert joined(Stated()) == TOLD


def test_a_field_fills_what_the_text_leaves_open() -> None:
    contract = joined(Stated(budget_usd=20, environment="staging", placement=Placement(cpus=4)))
    assert (contract.budget_usd, contract.environment, contract.placement.cpus) == (20, "staging", 4)
    assert contract.parts == TOLD.parts


def test_a_field_may_repeat_the_text() -> None:
    told = TOLD.model_copy(update={"budget_usd": 20.0})
    assert joined(Stated(budget_usd=20), told) == told


def test_a_field_that_contradicts_the_text_is_a_fault_naming_both_and_its_place() -> None:
    told = TOLD.model_copy(update={"budget_usd": 10.0})
    (fault,) = faults(Stated(budget_usd=20, places={"budget_usd": "goal.yaml:2:13 budget_usd"}), told)
    assert fault.place == "goal.yaml:2:13 budget_usd"
    assert "10" in fault.what
    assert "20" in fault.what


def test_every_contradiction_is_reported() -> None:
    told = TOLD.model_copy(update={"budget_usd": 10.0, "environment": "dev"})
    stated = Stated(
        budget_usd=20, environment="production", parts=(StatedPart(task="regression", data=(Data(uri="other.csv"),)),)
    )
    assert len(faults(stated, told)) == 4


def test_what_the_text_only_assumed_gives_way_and_the_assumption_goes() -> None:
    contract = joined(part(rollout=Rollout(strategy="canary", steps=(10, 100))))
    assert contract.parts[0].rollout == Rollout(strategy="canary", steps=(10, 100))
    assert [remark.field for remark in contract.assumptions] == ["parts.0.split"]


def test_fields_beside_an_assumption_leave_it_standing() -> None:
    contract = joined(part(rollout=Rollout(replicas=3)))
    assert contract.parts[0].rollout == Rollout(strategy="direct", replicas=3)
    assert contract.assumptions == TOLD.assumptions


def test_a_question_that_a_field_answers_is_no_longer_open() -> None:
    told = Contract(
        parts=(Part(name="model", task="classification"),),
        questions=(Remark(field="parts.0.data", text="which data?"), Remark(field="budget_usd", text="10 or 20?")),
    )
    contract = joined(part(data=(Data(uri="x.csv"),)), told)
    assert [remark.field for remark in contract.questions] == ["budget_usd"]
    assert joined(Stated(budget_usd=20), told).questions == told.questions[:1]


def test_data_is_joined_by_its_source() -> None:
    told = Contract(parts=(Part(name="m", task="classification", data=(Data(uri="./a.csv"),)),))
    contract = joined(part(data=(Data(uri="a.csv", label="y"), Data(uri="b.csv", role="holdout"))), told)
    assert [(d.uri, d.label, d.role) for d in contract.parts[0].data] == [
        ("./a.csv", "y", "train"),
        ("b.csv", None, "holdout"),
    ]


def test_another_source_in_the_same_role_is_a_contradiction() -> None:
    (fault,) = faults(part(data=(Data(uri="whales.csv"),)))
    assert "penguins.csv" in fault.what
    assert "whales.csv" in fault.what


def test_clauses_add_up_and_get_ids_of_their_own() -> None:
    more = (
        Clause(id="", metric="f1", op=">=", value=0.8, where="holdout"),
        Clause(id="", metric="f1", op=">=", value=0.7, where="holdout", class_="Adelie"),
        Clause(id="", metric="accuracy", op=">=", value=0.9, where="holdout"),
    )
    contract = joined(part(clauses=more))
    assert [(c.id, c.metric, c.class_) for c in contract.parts[0].clauses] == [
        ("c1", "accuracy", None),
        ("f1", "f1", None),
        ("f1_2", "f1", "Adelie"),
    ]


def test_a_clause_with_another_threshold_than_the_text_is_a_contradiction() -> None:
    stricter = Clause(id="", metric="accuracy", op=">=", value=0.95, where="holdout")
    stated = Stated(parts=(StatedPart(clauses=(stricter,)),), places={"parts.0.clauses.0": "g.yaml:3:5 clauses[0]"})
    (fault,) = faults(stated)
    assert fault.place == "g.yaml:3:5 clauses[0]"
    assert "accuracy >= 0.9," in fault.what
    assert "0.95" in fault.what


def test_a_relative_and_an_absolute_threshold_both_hold() -> None:
    relative = Clause(id="", metric="accuracy", op=">=", value=None, relative=Relative(delta=0.02), where="holdout")
    contract = joined(part(clauses=(relative,)))
    assert [(c.value, c.relative) for c in contract.parts[0].clauses] == [(0.9, None), (None, Relative(delta=0.02))]


def test_two_margins_over_the_same_model_contradict_each_other_and_over_two_models_both_hold() -> None:
    def over(to: str, delta: float) -> Clause:
        held = {"to": to, "delta": delta}
        fields = {"id": "", "metric": "f1", "op": ">=", "value": None, "relative": held, "where": "holdout"}
        return Clause.model_validate(fields)

    assert len(faults(part(clauses=(over("incumbent", 0.02), over("incumbent", 0.03))))) == 1
    assert faults(part(clauses=(over("incumbent", 0.02), over("baseline", 0.1)))) == ()


def test_a_second_table_that_is_joined_is_no_contradiction() -> None:
    islands = Data(uri="islands.csv")
    on = Join(left="penguins.csv", right="islands.csv", on=("island",))
    contract = joined(part(data=(islands,), prepare=Prepare(join=(on,))))
    assert [d.uri for d in contract.parts[0].data] == ["penguins.csv", "islands.csv"]
    other = Join(left="penguins.csv", right="seals.csv", on=("island",))
    assert len(faults(part(data=(islands,), prepare=Prepare(join=(other,))))) == 1


def test_bounds_from_both_sides_are_two_clauses() -> None:
    ceiling = Clause(id="", metric="accuracy", op="<=", value=0.99, where="holdout")
    assert len(joined(part(clauses=(ceiling,))).parts[0].clauses) == 2


def test_clauses_the_text_only_assumed_are_replaced() -> None:
    told = TOLD.model_copy(update={"assumptions": (Remark(field="parts.0.clauses", text="accuracy, by default"),)})
    stricter = Clause(id="", metric="accuracy", op=">=", value=0.95, where="holdout")
    contract = joined(part(clauses=(stricter,)), told)
    assert [c.value for c in contract.parts[0].clauses] == [0.95]
    assert contract.assumptions == ()


def test_constraints_and_cleaning_add_up() -> None:
    told = TOLD.model_copy(update={"constraints": ("no_gpu",)})
    told = told.model_copy(
        update={"parts": (told.parts[0].model_copy(update={"prepare": Prepare(clean=("impute",))}),)}
    )
    stated = Stated(constraints=("no_spot",), parts=(StatedPart(prepare=Prepare(clean=("scale", "impute"))),))
    contract = joined(stated, told)
    assert contract.constraints == ("no_gpu", "no_spot")
    assert contract.parts[0].prepare == Prepare(clean=("impute", "scale"))


def test_what_one_side_rules_out_the_other_cannot_demand() -> None:
    told = TOLD.model_copy(
        update={"constraints": ("no_deploy",), "parts": (TOLD.parts[0].model_copy(update={"rollout": Rollout()}),)}
    )
    stated = Stated(
        parts=(StatedPart(rollout=Rollout(strategy="canary")),),
        places={"parts.0.rollout": "g.yaml:2:3 rollout", "parts.0.rollout.strategy": "g.yaml:2:13 rollout.strategy"},
    )
    (fault,) = faults(stated, told)
    assert "no_deploy" in fault.what
    assert fault.place == "g.yaml:2:3 rollout"


def test_the_text_alone_is_not_judged_here() -> None:
    told = TOLD.model_copy(update={"constraints": ("no_deploy",)})
    assert faults(Stated(budget_usd=3), told) == ()


def test_parts_are_matched_by_name_and_then_in_order() -> None:
    told = Contract(
        parts=(Part(name="fraud", task="classification"), Part(name="churn", task="classification", target="churn"))
    )
    stated = Stated(parts=(StatedPart(name="churn", models=("ridge",)), StatedPart(search=Search(trials=5))))
    contract = joined(stated, told)
    assert contract.parts[1].models == ("ridge",)
    assert contract.parts[0].search == Search(trials=5)


def test_a_part_that_only_the_file_states_is_added() -> None:
    told = Contract(parts=(), questions=(Remark(field="parts", text="what is wanted?"),))
    clause = Clause(id="", metric="rmse", op="<=", value=3, where="holdout")
    contract = joined(part(data=(Data(uri="x.csv", label="y"),), clauses=(clause,)), told)
    assert contract.parts[0].task == "regression"
    assert contract.questions == ()
    (fault,) = faults(part(models=("ridge",)), told)
    assert "task" in fault.fix


def test_fields_at_the_top_are_ambiguous_beside_a_text_with_several_parts() -> None:
    told = Contract(parts=(Part(name="a", task="classification"), Part(name="b", task="regression")))
    (fault,) = faults(part(models=("ridge",)), told)
    assert "a, b" in fault.what


def test_two_parts_of_one_name_are_a_fault() -> None:
    told = Contract(parts=(Part(name="a", task="classification"),))
    stated = Stated(parts=(StatedPart(name="a"), StatedPart(name="a", task="regression")))
    assert "two parts" in faults(stated, told)[0].what


def test_a_metric_settles_a_task_that_was_only_assumed() -> None:
    told = Contract(
        parts=(Part(name="model", task="classification", data=(Data(uri="x.csv"),)),),
        assumptions=(Remark(field="parts.0.task", text="classification"),),
    )
    clause = Clause(id="", metric="rmse", op="<=", value=3, where="holdout")
    contract = joined(part(clauses=(clause,)), told)
    assert contract.parts[0].task == "regression"
    assert contract.assumptions == ()


def test_the_goals_name_becomes_the_name_of_a_part_without_one() -> None:
    assert joined(Stated(name="penguins")).parts[0].name == "penguins"
    assert joined(Stated(name="Nightly penguins!")).parts[0].name == "model"


def test_what_was_said_survives_the_wire_and_nothing_else_does() -> None:
    stated = Stated(
        budget_usd=3,
        parts=(StatedPart(rollout=Rollout(replicas=2), clauses=(ACCURACY,)),),
        places={"budget_usd": "g.yaml:1:1"},
    )
    again = Stated.model_validate_json(stated.model_dump_json())
    assert again == stated
    assert again.parts[0].rollout is not None
    assert again.parts[0].rollout.model_fields_set == {"replicas"}
    assert joined(again) == joined(stated)

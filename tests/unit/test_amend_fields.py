"""What changes between two contracts, in words; and what a run that has begun cannot take any more."""

from __future__ import annotations

import pytest
from carried import carry, seen
from given import ACCURACY, ERRORS, LATENCY, Story, contract, part, proposed

from agent.amend import blocked, diff, digest, in_words
from agent.contract import Clause, Contract, Data, Objective, Placement, Relative, Rollout, Search, Split
from tools.language import speaking

WANTED = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary"), budget_usd=5, deadline_s=3600)


def having(wanted: Contract, **changes: object) -> Contract:
    (one,) = wanted.parts
    return wanted.model_copy(update={"parts": (one.model_copy(update=changes),)})


def clauses(**changes: object) -> Contract:
    return having(WANTED, clauses=(ACCURACY.model_copy(update=changes), LATENCY, ERRORS))


def slower(value: float) -> Contract:
    return having(WANTED, clauses=(ACCURACY, LATENCY.model_copy(update={"value": value}), ERRORS))


LESS = "less is demanded than before"
ANOTHER = "another kind of demand: what was demanded before is not any more"


def loosened(before: Contract, after: Contract) -> list[str]:
    return [c.loosens for c in diff(before, after)]


def test_a_contract_differs_in_nothing_from_itself() -> None:
    assert diff(WANTED, WANTED) == ()


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (clauses(value=0.8), LESS),
        (clauses(value=0.99), ""),
        (having(WANTED, clauses=(ACCURACY, LATENCY)), "this is not demanded any more"),
        (slower(500), LESS),
        (slower(1), ""),
        (clauses(metric="f1"), "the demand before is not made any more"),
        (clauses(value=None, relative=Relative(delta=0.01)), ANOTHER),
        (WANTED.model_copy(update={"budget_usd": 20}), "more may be spent than before"),
        (WANTED.model_copy(update={"budget_usd": None}), "there is no limit to what may be spent"),
        (WANTED.model_copy(update={"budget_per": "day"}), "more may be spent than before"),
        (WANTED.model_copy(update={"budget_usd": 3}), ""),
        (WANTED.model_copy(update={"deadline_s": 7200}), "it may take longer"),
        (WANTED.model_copy(update={"deadline_s": None}), "it may take longer"),
        (WANTED.model_copy(update={"deadline_s": 60}), ""),
        (having(WANTED, rollout=Rollout(strategy="direct")), "all traffic goes to it at once, before it was measured"),
    ],
)  # fmt: skip
def test_what_loosens_a_goal_is_said_in_plain_words(after: Contract, said: str) -> None:
    assert loosened(WANTED, after) == [said]


def test_confidence_aborts_constraints_and_times_are_loosened_in_words_too() -> None:
    sure = clauses(confidence=0.99, abort=True)
    assert loosened(sure, clauses(confidence=0.9, abort=True)) == ["less certainty is demanded than before"]
    assert loosened(sure, clauses(confidence=0.99)) == ["missing it does not roll back any more"]
    bound = WANTED.model_copy(update={"constraints": ("no_gpu", "no_production")})
    assert loosened(bound, WANTED.model_copy(update={"constraints": ("no_gpu",)})) == [
        "allowed from now on: production"
    ]
    slow = having(WANTED, rollout=Rollout(strategy="canary", hold_s=600, lease_s=60))
    quick = having(WANTED, rollout=Rollout(strategy="canary", hold_s=60, lease_s=600))
    assert loosened(slow, quick) == ["each step is watched for a shorter time", "it runs, and may cost, for longer"]


def test_every_field_that_differs_is_named_once() -> None:
    after = having(
        WANTED,
        objective=Objective(metric="f1", direction="max"),
        split=Split(by="time", column="day"),
        search=Search(trials=40),
        models=("random_forest",),
        rollout=Rollout(strategy="canary", replicas=3, steps=(10, 100)),
    ).model_copy(update={"environment": "staging", "placement": Placement(gpu="a100", regions=("eu-west-1",))})
    assert [c.field for c in diff(WANTED, after)] == [
        "parts.model.objective", "parts.model.models", "parts.model.split", "parts.model.rollout.steps",
        "parts.model.rollout.replicas", "parts.model.search", "environment", "placement.gpu", "placement.regions",
    ]  # fmt: skip


def test_parts_come_and_go_by_name() -> None:
    two = WANTED.model_copy(update={"parts": (*WANTED.parts, part(ACCURACY, name="other", target="other"))})
    assert [str(c) for c in diff(WANTED, two)] == ["part: none → other (classification)"]
    assert loosened(two, WANTED) == ["nothing is done or demanded of it any more"]
    renamed = having(WANTED, name="another")
    assert [str(c) for c in diff(WANTED, renamed)] == ["the name: model → another"]


def test_what_comes_from_outside_is_shown_clean() -> None:
    evil = having(WANTED, data=(Data(uri="a\x1b[2J\u202eb.csv", label="x\ny"),), models=("m\x07",))
    for change in diff(WANTED, evil):
        assert not set(str(change)) & set("\x1b\u202e\n\x07")


def test_a_change_is_said_in_chinese() -> None:
    with speaking("zh"):
        assert [str(c) for c in diff(WANTED, WANTED.model_copy(update={"budget_usd": 20}))] == [
            "预算：$5.00 → $20.00 (可花费的比之前多)"
        ]


def begun(until: str) -> Story:
    there = seen(WANTED, serves=False)
    story = Story(WANTED, proposed(WANTED, there), seen=there)
    carry(story, until=until)
    return story


DATA = having(WANTED, data=(Data(uri="other.csv", label="target"),))
FAMILY = having(WANTED, models=("random_forest",))
DIRECT = having(WANTED, rollout=Rollout(strategy="direct"))


def test_nothing_is_blocked_before_anything_has_begun() -> None:
    there = seen(WANTED, serves=False)
    story = Story(WANTED, proposed(WANTED, there), seen=there)
    assert blocked(WANTED, DATA, story.run) == ()
    assert blocked(WANTED, having(WANTED, task="regression"), story.run) == ()


@pytest.mark.parametrize(
    "after", [DATA, FAMILY, having(WANTED, task="regression"), having(WANTED, split=Split(by="time"))]
)
def test_what_trained_models_rest_on_cannot_be_changed(after: Contract) -> None:
    story = begun("select_model")
    assert blocked(WANTED, after, story.run)


def test_before_anything_is_trained_the_data_are_fixed_and_the_families_are_not() -> None:
    run = begun("tune_model").run
    assert blocked(WANTED, DATA, run) == ("the data cannot be changed any more: steps that rest on it have begun",)
    assert blocked(WANTED, FAMILY, run) == ()


@pytest.mark.parametrize(
    "after",
    [
        clauses(value=0.99),
        WANTED.model_copy(update={"budget_usd": 20}),
        WANTED.model_copy(update={"deadline_s": 60}),
        DIRECT,
        having(WANTED, rollout=Rollout(strategy="canary", hold_s=600)),
    ],
)
def test_what_is_still_to_come_can_be_changed(after: Contract) -> None:
    assert blocked(WANTED, after, begun("select_model").run) == ()


def test_parts_that_have_begun_stay_and_others_are_goals_of_their_own() -> None:
    run = begun("select_model").run
    two = WANTED.model_copy(update={"parts": (*WANTED.parts, part(ACCURACY, name="other", target="other"))})
    assert blocked(WANTED, two, run) == ("another part is a goal of its own",)
    other = WANTED.model_copy(update={"parts": (part(ACCURACY, name="other", target="other"),)})
    assert "model has begun and cannot be left out any more" in blocked(WANTED, other, run)


def test_every_name_of_a_field_is_a_field() -> None:
    names = {c.field for c in diff(WANTED, having(WANTED, clauses=(Clause(**CUSTOM),)))}
    assert {"parts.model.clauses.accuracy", "parts.model.clauses.own"} <= names


CUSTOM = {"id": "own", "metric": "custom:own", "op": ">=", "value": 1.0, "where": "holdout"}


def test_models_that_are_named_are_the_only_ones_and_that_is_said() -> None:
    assert [str(c) for c in diff(WANTED, FAMILY)] == [
        "the models: those that suit the task → random_forest (only these are tried)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read in two ways: `parts.0.clauses` as 1", "read in two ways: demand as 1"),
        ("`parts.0.rollout.hold_s`", "the time of each rollout step"),
        ("`budget_usd` as $1 or `deadline_s`", "the budget as $1 or the deadline"),
        ("`parts.0.clauses.accuracy.value`", "demand"),
        ("`parts.99.data`", "the data"),
        ("say `accuracy 0.92`", "say `accuracy 0.92`"),
        ("the column `species`", "the column `species`"),
    ],
)
def test_fields_are_called_what_people_call_them(text: str, said: str) -> None:
    assert in_words(text, WANTED) == said


def test_of_several_parts_the_one_that_is_meant_is_named() -> None:
    two = WANTED.model_copy(update={"parts": (*WANTED.parts, part(ACCURACY, name="other", target="other"))})
    assert in_words("`parts.1.clauses`", two) == "other: demand"


def test_a_contract_is_known_by_its_digest() -> None:
    assert digest(WANTED) == digest(Contract.model_validate_json(WANTED.model_dump_json()))
    assert digest(WANTED) != digest(clauses(value=0.8))

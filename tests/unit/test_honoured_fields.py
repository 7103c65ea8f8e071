"""Nothing a contract says is left out in silence: each field is honoured, or named as a reason."""

from __future__ import annotations

import pytest
from given import ACCURACY, clause, contract, part

from agent.brain.rules.honoured import FIELDS, unsupported
from agent.contract import Data, Join, Part, Placement, Prepare, Upkeep


def test_every_field_of_a_part_has_a_say() -> None:
    assert set(FIELDS) == set(Part.model_fields)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"data": (Data(uri="a.csv", label="y"), Data(uri="t.csv", role="holdout"))}, "t.csv (holdout)"),
        ({"prepare": Prepare(join=(Join(left="a", right="b", on=("id",)),))}, "joins"),
        ({"upkeep": Upkeep(retrain_on=("drift",))}, "retrains"),
        ({"metrics": {"custom:rate": "mean(prediction == 1)"}}, "formulas"),
        ({"strategy": "canary", "steps": (50.0, 10.0)}, "rise"),
        ({"strategy": "rolling"}, "rolling"),
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

"""Policies: each rule has calls that it stops and calls that it lets pass, and none can be dropped unseen."""

from __future__ import annotations

from importlib.resources import files

import pytest
from given import LIMITS

from policies import engine
from policies.engine import RULES, Facts, Finding, Rule, judge
from policies.limits import Limits, load_limits
from tools.tool import Effect

USD = 1_000_000


def facts(**more: object) -> Facts:
    """A call that nobody objects to, with some facts changed."""
    usual: dict[str, object] = {
        "tool": "tune_model",
        "effect": Effect.CREATES,
        "args": {"trials": 8},
        "cost_micro": USD,
        "left_micro": 10 * USD,
        "limit_s": 600.0,
    }
    return Facts.model_validate(usual | more)


SERVING: dict[str, object] = {"tool": "deploy_model", "args": {"endpoint": "shop", "replicas": 2}}
IN_PRODUCTION: dict[str, object] = SERVING | {"environment": "production"}
FOREIGN: dict[str, object] = {
    "tool": "release_resource",
    "effect": Effect.DESTROYS,
    "args": {"id": "shop"},
    "mine": False,
}

CASES: list[tuple[str, str, dict[str, object]]] = [
    ("budget", "refused", {"cost_micro": 10 * USD + 1}),
    ("budget", "refused", {"cost_micro": 1, "left_micro": 0}),
    ("budget", "refused", {"cost_micro": 0, "left_micro": -1}),
    ("price_unknown", "held", {"cost_micro": None}),
    ("price_unknown", "held", {"cost_micro": None, "left_micro": None}),
    ("spend", "held", {"cost_micro": 20 * USD + 1, "left_micro": None}),
    ("spend", "refused", {"cost_micro": 5000 * USD + 1, "left_micro": None}),
    ("production", "held", IN_PRODUCTION),
    ("production", "held", IN_PRODUCTION | {"tool": "shift_traffic", "effect": Effect.CHANGES}),
    ("production", "held", IN_PRODUCTION | {"tool": "extend_lease", "effect": Effect.CHANGES}),
    ("production", "held", IN_PRODUCTION | {"tool": "withdraw_version", "effect": Effect.DESTROYS}),
    ("production", "refused", IN_PRODUCTION | {"constraints": ("no_production",)}),
    ("production", "held", IN_PRODUCTION | {"tool": "rollback_endpoint", "effect": Effect.CHANGES}),
    ("production", "held", IN_PRODUCTION | {"tool": "scale_endpoint", "effect": Effect.CHANGES}),
    ("production", "held", IN_PRODUCTION | {"tool": "mirror_traffic", "effect": Effect.CHANGES}),
    ("production", "held", IN_PRODUCTION | {"tool": "monitor_endpoint"}),
    ("production", "refused", IN_PRODUCTION | {"tool": "monitor_endpoint", "constraints": ("no_production",)}),
    ("destroy", "held", FOREIGN),
    ("foreign", "held", SERVING | {"mine": False}),
    ("foreign", "held", SERVING | {"mine": False, "tool": "shift_traffic", "effect": Effect.CHANGES}),
    ("foreign", "held", SERVING | {"mine": False, "tool": "monitor_endpoint"}),
    ("constraints", "refused", SERVING | {"constraints": ("no_deploy",)}),
    ("constraints", "refused", SERVING | {"constraints": ("no_deploy",), "tool": "shift_traffic"}),
    ("constraints", "refused", {"constraints": ("read_only",)}),
    ("namespaces", "refused", {"namespace": "kube-system"}),
    ("sizes", "refused", {"limit_s": 1_209_600.1}),
    ("sizes", "refused", {"args": {"trials": 501}}),
    ("sizes", "refused", SERVING | {"args": {"replicas": 21}}),
    ("sizes", "refused", {"tool": "extend_lease", "args": {"for_s": 2_592_001}}),
    ("sizes", "refused", {"in_flight": 9}),
]
PASSING: list[tuple[str, dict[str, object]]] = [
    ("nothing special", {}),
    ("exactly what is left", {"cost_micro": 10 * USD}),
    ("no budget", {"left_micro": None}),
    ("free with nothing left", {"cost_micro": 0, "left_micro": 0}),
    ("exactly what asks", {"cost_micro": 20 * USD, "left_micro": None}),
    ("staging", IN_PRODUCTION | {"environment": "staging"}),
    ("training for production", {"environment": "production"}),
    (
        "going back in production to what was before the run",
        {
            "tool": "rollback_endpoint",
            "effect": Effect.CHANGES,
            "environment": "production",
            "args": {"endpoint": "shop"},
            "undoes": True,
            "mine": False,
        },
    ),
    (
        "ending in production what this run made",
        FOREIGN | {"environment": "production", "mine": True, "made_here": True},
    ),
    ("ending what is mine", FOREIGN | {"mine": True}),
    ("looking at what is somebody else's", SERVING | {"mine": False, "effect": Effect.READS}),
    ("training although nothing may be deployed", {"constraints": ("no_deploy",)}),
    ("reading when nothing may be changed", {"effect": Effect.READS, "constraints": ("read_only",)}),
    ("a namespace of one's own", {"namespace": "team-a"}),
    ("as long, as many and as much as allowed", {"limit_s": 1_209_600.0, "args": {"trials": 500}, "in_flight": 8}),
]


@pytest.mark.parametrize(("rule", "ruling", "more"), CASES)
def test_a_rule_stops_what_it_is_there_for_alone(rule: str, ruling: str, more: dict[str, object]) -> None:
    decision = judge(facts(**more), LIMITS)
    assert decision.ruling == ruling
    assert [f.policy for f in decision.findings] == [rule]
    assert len(decision.findings[0].sentence) > 20


@pytest.mark.parametrize(("name", "more"), PASSING, ids=[n for n, _ in PASSING])
def test_what_no_rule_objects_to_is_approved(name: str, more: dict[str, object]) -> None:
    decision = judge(facts(**more), LIMITS)
    assert (decision.ruling, decision.findings) == ("approved", ()), name


def test_every_rule_has_cases() -> None:
    assert {rule for rule, _, _ in CASES} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("dropped", RULES, ids=lambda rule: rule.__name__)
def test_dropping_a_rule_changes_a_ruling(dropped: Rule) -> None:
    left = tuple(rule for rule in RULES if rule is not dropped)
    changed = [
        name
        for name, _, more in CASES
        if judge(facts(**more), LIMITS, left).ruling != judge(facts(**more), LIMITS).ruling
    ]
    assert set(changed) == {dropped.__name__}


def test_the_strictest_finding_wins_and_only_refusals_are_told_then() -> None:
    both = IN_PRODUCTION | {"cost_micro": 10 * USD + 1}
    decision = judge(facts(**both), LIMITS)
    assert (decision.ruling, [f.policy for f in decision.findings]) == ("refused", ["budget"])
    held = judge(facts(**(IN_PRODUCTION | {"cost_micro": None})), LIMITS)
    assert [f.policy for f in held.findings] == ["price_unknown", "production"]


def test_the_order_of_the_rules_does_not_matter() -> None:
    for _, ruling, more in CASES:
        assert judge(facts(**more), LIMITS, RULES[::-1]).ruling == ruling


def test_a_rule_that_cannot_judge_refuses() -> None:
    def fails(_: Facts, __: Limits) -> Finding | None:
        raise ZeroDivisionError("of all things")

    decision = judge(facts(), LIMITS, (fails,))
    assert decision.ruling == "refused"
    assert "could not judge the call: of all things" in decision.findings[0].sentence


@pytest.mark.parametrize("value", ["many", None, [3], {"n": 1}])
def test_an_argument_of_the_wrong_kind_is_refused_and_not_overlooked(value: object) -> None:
    assert judge(facts(args={"trials": value}), LIMITS).ruling == "refused"


def test_what_is_held_in_the_shipped_limits_is_held() -> None:
    """The numbers that people change; a change of them is seen here."""
    assert (LIMITS.money.ask_above_usd, LIMITS.money.refuse_above_usd) == (20, 5000)
    assert LIMITS.ask.environments == ("production",)
    assert LIMITS.ask.destroys_foreign
    assert LIMITS.ask.changes_foreign
    assert "kube-system" in LIMITS.refuse.namespaces
    assert LIMITS.approvals.expire_after_s == 86_400


def test_a_limit_can_be_tightened() -> None:
    text = files("policies").joinpath("limits.yaml").read_text(encoding="utf-8")
    strict = load_limits(text.replace("trials: 500", "trials: 4").replace("[production]", "[production, staging]"))
    assert judge(facts(), strict).ruling == "refused"
    assert judge(facts(**(SERVING | {"environment": "staging"})), strict).ruling == "held"


def test_every_fault_of_the_limits_is_listed() -> None:
    text = files("policies").joinpath("limits.yaml").read_text(encoding="utf-8")
    broken = (
        text.replace("ask_above_usd: 20", "ask_above_usd: -1")
        .replace("calls: 8", "calls: 0")
        .replace("trials: 500", "trials: lots")
        .replace("longest_call_s: 1209600", "longest_call_s: .nan")
        .replace("expire_after_s", "expires")
        .replace("refuse:", "refuse_:")
    )
    with pytest.raises(ValueError, match="validation errors") as caught:
        load_limits(broken)
    said = str(caught.value)
    for place in (
        "money.ask_above_usd",
        "parallel.calls",
        "search.trials",
        "time.longest_call_s",
        "approvals.expire_after_s",
        "approvals.expires",
        "refuse\n",
        "refuse_",
    ):
        assert place in said, place


@pytest.mark.parametrize("text", ["", "[]", "money: 1", "just text"])
def test_limits_that_are_missing_are_no_limits(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        load_limits(text)


def test_every_rule_is_asked_even_after_one_refused() -> None:
    asked = []

    def counts(_: Facts, __: Limits) -> Finding | None:
        asked.append(1)
        return None

    judge(facts(cost_micro=10 * USD + 1), LIMITS, (engine.budget, counts, counts))
    assert len(asked) == 2

"""The benchmark of decisions judges what it says it does."""

from __future__ import annotations

import pytest

from evals.bench_decisions import CALLS, CROSS_CUTTING, NUMBERS, Took, judge, made
from policies.cedar import rules
from policies.judge import CedarPolicies
from policies.limits import load_limits
from policies.request import Facts, Request
from tools.catalogue import TOOLS


@pytest.mark.parametrize("number", NUMBERS[:2])
def test_made_policies_are_spread_over_the_actions_and_few_cut_across(number: int) -> None:
    read, faults = rules(made(number), "made.cedar")
    assert not faults
    assert len(read) == number
    alone = [rule.node.action.entity.id for rule in read if hasattr(rule.node.action, "entity")]
    assert number - len(alone) <= CROSS_CUTTING
    counts = [alone.count(tool.name) for tool in TOOLS]
    assert max(counts) - min(counts) <= 1


def test_made_policies_object_to_nothing() -> None:
    policies = CedarPolicies({"made.cedar": made(100, only="deploy_model")}, load_limits())
    facts = Facts(backend="sim", digest="", now_ms=0, limit_ms=600_000, cost_micro=0)
    for tool in CALLS:
        asked = Request(requester="ada", run="r", tool=tool, facts=facts)
        assert policies.judge(asked).ruling == "approved"


def _found(few_ms: float, many_ms: float) -> tuple[bool, ...]:
    took = {f"{number} spread": [[Took(wall=few_ms, cpu=few_ms)] * 100] for number in NUMBERS}
    took[f"{NUMBERS[-1]} spread"] = [[Took(wall=many_ms, cpu=many_ms)] * 100]
    return tuple(target.met for target in judge(took).targets)


def test_both_targets_are_judged_on_what_was_measured() -> None:
    assert _found(0.3, 0.45) == (True, True)
    assert _found(0.3, 0.46) == (True, False)
    assert _found(0.49, 0.51) == (False, True)

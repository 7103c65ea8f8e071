"""Policies are split by action before they are asked; what is decided and said is as if all were asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from policies.cedar import Parsed, Rule
from policies.engine import Decision
from policies.judge import CedarPolicies
from policies.limits import load_limits
from policies.request import Facts, Request
from tools.catalogue import BY_NAME
from tools.tool import Tool

LIMITS = load_limits()
NAMES = ("tune_model", "deploy_model", "shift_traffic", "release_resource", "find_model")
TOOLS = tuple(BY_NAME[name] for name in NAMES)
GROUPS = ("read", "mutate", "spend", "destroy", "serve", "job")
SAMPLE = settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(SAMPLE, max_examples=3000, derandomize=False)

ACTIONS = st.sampled_from([f'Action::"{name}"' for name in (*NAMES, *GROUPS)])
SCOPES = st.one_of(
    st.just("action"),
    st.sampled_from([f'action == Action::"{name}"' for name in NAMES]),
    ACTIONS.map(lambda one: f"action in {one}"),
    st.lists(ACTIONS, min_size=1, max_size=3).map(lambda some: f"action in [{', '.join(some)}]"),
)
CONDITIONS = st.sampled_from(
    [
        "",
        "when { context.facts.mine }",
        "unless { context.facts.undoes }",
        "when { context.facts.in_flight > 2 }",
        'when { action in Action::"serve" }',
        'unless { action in [Action::"mutate", Action::"find_model"] }',
        "when { context.input has trials && context.input.trials > 10 }",
        'when { principal == Person::"bob" }',
        "when { context.facts.now_ms + 9223372036854775807 > 0 }",
    ]
)
POLICIES = st.lists(
    st.tuples(st.sampled_from(["permit", "permit", "forbid"]), SCOPES, CONDITIONS, st.booleans()), max_size=9
)
REQUESTS = st.builds(
    lambda tool, trials, mine, undoes, flying, now, who: Request(
        requester=who,
        run="r",
        tool=tool,
        input={"trials": trials} if tool == "tune_model" and trials else {},
        facts=Facts(backend="sim", digest="", now_ms=now, limit_ms=0, mine=mine, undoes=undoes, in_flight=flying),
    ),
    st.sampled_from([*NAMES, "no_such_tool"]),
    st.sampled_from([None, 5, 50]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 4),
    st.sampled_from([-5, 5]),
    st.sampled_from(["ada", "bob"]),
)
Drawn = list[tuple[str, str, str, bool]]


class Whole(Parsed):
    """All policies are asked about every call."""

    def matching(self, tool: Tool) -> Iterator[Rule]:
        del tool
        yield from self.rules.values()


def text(drawn: Drawn) -> str:
    return "\n".join(
        f'@id("p{n}") @says("p{n}: {{tool}}") @fix("x") {"@on_deny(" + chr(34) + "require_approval" + chr(34) + ")" if asks else ""}'  # noqa: E501
        f"{effect} (principal, {scope}, resource) {condition};"
        for n, (effect, scope, condition, asks) in enumerate(drawn)
    )  # fmt: skip


def judged(drawn: Drawn, asked: Request, parsed: type[Parsed]) -> Decision:
    class Policies(CedarPolicies):
        @cached_property
        def _parsed(self) -> Parsed:
            return parsed.of(self.texts, TOOLS, LIMITS)

    return Policies({"drawn.cedar": text(drawn)}, LIMITS, tools=TOOLS).judge(asked)


def same(drawn: Drawn, asked: Request, split: type[Parsed] = Parsed) -> bool:
    return judged(drawn, asked, split) == judged(drawn, asked, Whole)


@given(POLICIES, REQUESTS)
@SAMPLE
def test_the_split_decides_and_explains_as_the_whole(drawn: Drawn, asked: Request) -> None:
    assert same(drawn, asked)


@pytest.mark.slow
@given(POLICIES, REQUESTS)
@MANY
def test_the_split_decides_and_explains_as_the_whole_in_thousands_of_cases(drawn: Drawn, asked: Request) -> None:
    assert same(drawn, asked)


def _planted(misses: Callable[[Rule, Tool], bool]) -> type[Parsed]:
    class Missing(Parsed):
        def matching(self, tool: Tool) -> Iterator[Rule]:
            yield from (rule for rule in super().matching(tool) if not misses(rule, tool))

    return Missing


def _action(rule: Rule) -> str:
    return type(rule.node.action).__name__


MISSES: dict[str, Callable[[Rule, Tool], bool]] = {
    "unscoped policies": lambda rule, _: _action(rule) == "ScopeAny",
    "policies on one tool": lambda rule, _: _action(rule) == "ActionEq",
    "policies on a group": lambda rule, tool: _action(rule) == "ActionIn" and tool.name not in rule.text,
    "groups that stand in groups": lambda rule, tool: (
        tool.name == "tune_model" and _action(rule) == "ActionIn" and 'Action::"mutate"' in rule.text
    ),
    "all but the first of a list": lambda rule, tool: "[" in rule.text and f'[Action::"{tool.name}"' not in rule.text,
    "forbids that ask": lambda rule, _: rule.asks,
}


@pytest.mark.parametrize("what", MISSES)
def test_a_splitter_that_misses_some_is_caught(what: str) -> None:
    planted = _planted(MISSES[what])
    try:
        found = find(
            st.tuples(POLICIES, REQUESTS),
            lambda both: not same(*both, planted),
            settings=settings(SAMPLE, max_examples=600, phases=[Phase.generate]),
        )
    except NoSuchExample:
        pytest.fail(f"nothing tells that {what} are missed")
    assert same(*found)


def test_a_constraint_that_is_not_understood_is_taken_to_match() -> None:
    class Strange:
        action = object()
        effect = "forbid"
        annotations: dict[str, str] = {}

    rule = Rule(file="x", line=1, text="", node=Strange())  # type: ignore[arg-type]
    assert all(rule.can_match(tool) for tool in TOOLS)

"""Arguments in the one form that policies judge."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from policies import places
from policies.input import judged
from policies.limits import load_limits
from policies.load import load_policies
from policies.request import Facts, Request
from policies.schema import ancestors, groups, schema
from tools.catalogue import BY_NAME, TOOLS
from tools.judged import View, views
from tools.record import Json, Record
from tools.tool import Effect, Tool

LIMITS = load_limits()
SHIPPED = load_policies()
FACTS = Facts(backend="sim", digest="", now_ms=0, limit_ms=0, cost_micro=0)


def ruling(tool: str, args: Json) -> str:
    return SHIPPED.judge(
        Request(requester="ada", run="r", tool=tool, input=judged(BY_NAME[tool], args), facts=FACTS)
    ).ruling


@pytest.mark.parametrize(
    ("tool", "args", "expected"),
    [
        ("tune_model", {"family": "ridge", "trials": 8, "seed": 3}, {"family": "ridge", "trials": 8}),
        ("extend_lease", {"endpoint": "shop", "for_s": 3600.0}, {"endpoint": "shop", "for_s_micro": 3_600_000_000}),
        ("extend_lease", {"for_s": 0.1}, {"for_s_micro": 100_000}),
        ("extend_lease", {"for_s": 7}, {"for_s_micro": 7_000_000}),
        ("prepare_data", {"tables": [{"source": "/b"}, {"source": "/a"}, {"source": "/b"}]}, {"sources": ["/a", "/b"]}),
        ("launch_training", {"command": ["rm", "-rf", "/"], "folder": "/w"}, {"program": "rm", "folder": "/w"}),
        ("launch_training", {"command": [], "folder": "/w/./x/../y/"}, {"folder": "/w/y"}),
        ("evaluate_model", {"predict": "python 'my file.py' --x", "data": "d"}, {"program": "python", "data": "d"}),
        ("release_resource", {"kind": "endpoint", "id": "a"}, {"kind": "endpoint", "id": "a", "endpoint": "a"}),
        ("release_resource", {"kind": "job", "id": "7"}, {"kind": "job", "id": "7"}),
        ("withdraw_version", {"endpoint": "shop", "version": None}, {"endpoint": "shop"}),
        ("mirror_traffic", {"endpoint": "shop", "on": False}, {"endpoint": "shop", "on": False}),
        ("quote_cost", {"regions": ["b", "a", "a"]}, {"regions": ["a", "b"]}),
        ("profile_data", {"source": "//data//x/../y.csv"}, {"source": "/data/y.csv"}),
        ("profile_data", {"source": "S3://bucket/a//b"}, {"source": "s3://bucket/a//b"}),
        ("deploy_model", {"endpoint": "商店（新）"}, {"endpoint": "商店(新)"}),
        ("list_offers", {"anything": 1}, {}),
    ],
)  # fmt: skip
def test_the_judged_arguments_in_canonical_form(tool: str, args: Json, expected: Json) -> None:
    found = judged(BY_NAME[tool], args)
    assert found == expected
    assert ruling(tool, args) in ("approved", "held")


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("extend_lease", {"for_s": math.nan}),
        ("extend_lease", {"for_s": math.inf}),
        ("extend_lease", {"for_s": 1e300}),
        ("extend_lease", {"for_s": 1e308}),
        ("extend_lease", {"for_s": 10**400}),
        ("extend_lease", {"for_s": "3600"}),
        ("extend_lease", {"for_s": True}),
        ("deploy_model", {"endpoint": "ｓhop"}),
        ("deploy_model", {"endpoint": "𝓼hop"}),
        ("deploy_model", {"endpoint": 7}),
        ("deploy_model", {"endpoint": {"__entity": {"type": "Person", "id": "root"}}}),
        ("prepare_data", {"tables": [{}]}),
        ("prepare_data", {"tables": 3}),
        ("prepare_data", {"tables": [{"source": {"$ref": "x"}}]}),
        ("evaluate_model", {"predict": "an 'open quote"}),
        ("profile_data", {"source": "s3://team-a/../other/key"}),
        ("profile_data", {"source": "s3://team-a/%2e%2e/other"}),
    ],
)  # fmt: skip
def test_what_has_no_such_form_is_refused_and_raises_nothing(tool: str, args: Json) -> None:
    assert ruling(tool, args) == "refused"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([tool.name for tool in TOOLS]), st.data())
@settings(max_examples=150, derandomize=True, deadline=None)
def test_nothing_that_an_argument_can_be_raises(tool: str, data: st.DataObject) -> None:
    names = sorted(BY_NAME[tool].args.model_fields)
    args: dict[str, Any] = {name: data.draw(ANYTHING) for name in names if data.draw(st.booleans())}
    once = judged(BY_NAME[tool], args)
    asked = Request(requester="ada", run="r", tool=tool, input=once, facts=FACTS)
    decision = SHIPPED.judge(asked)
    assert decision.ruling in ("approved", "held", "refused")
    assert "engine" not in [f.policy for f in decision.findings]


def test_every_action_stands_in_its_groups() -> None:
    found = {
        name: ancestors(BY_NAME[name]) for name in ("find_model", "tune_model", "deploy_model", "release_resource")
    }
    assert found == {
        "find_model": {"read"},
        "tune_model": {"mutate", "spend", "job"},
        "deploy_model": {"mutate", "spend", "serve"},
        "release_resource": {"mutate", "destroy", "serve"},
    }
    for tool in TOOLS:
        assert ("read" in groups(tool)) == (tool.effect is Effect.READS)


class Args(Record):
    name: str
    size: float
    nested: tuple[Json, ...] = ()
    many: tuple[int, ...] = ()
    either: int | str = 0
    perhaps: bool | None = None
    some: tuple[str, ...] = Field(default=())


def _tool(*judges: str | View, name: str = "made") -> Tool:
    return Tool(
        name=name, does="Nothing.", effect=Effect.READS, args=Args, result=Args, judged=judges, start=lambda a, s: a
    )


def test_the_kind_of_a_judged_argument_follows_from_its_type() -> None:
    found = {view.name: view.kind for view in views(Args, ("name", "size", "perhaps", "some"))}
    assert found == {"name": "text", "size_micro": "micro", "perhaps": "flag", "some": "texts"}


@pytest.mark.parametrize(
    "judges",
    [
        ("nested",),
        ("many",),
        ("either",),
        ("nothing",),
        ("name", "name"),
        (View(name="x", kind="text", reads=("nothing",), of=lambda args: None),),
        (View(name="x", kind="text", reads=(), of=lambda args: None),),
    ],
)
def test_what_policy_cannot_judge_is_no_tool(judges: tuple[str | View, ...]) -> None:
    with pytest.raises(ValueError, match="tool made"):
        _tool(*judges)


def test_a_tool_is_not_called_as_a_group_is() -> None:
    with pytest.raises(ValueError, match="an action mutate already"):
        schema((_tool(name="mutate"),))


@pytest.mark.parametrize(
    ("place", "outside", "never"),
    [
        ("/data/a.csv", False, False),
        ("sklearn:iris", False, False),
        ("sklearnx:iris", True, False),
        ("s3://bucket/a", False, False),
        ("ftp://host/a", True, False),
        ("/etc/shadow", False, True),
        ("/etcetera/a.csv", False, False),
        ("/etc", False, True),
        ("/home/ada/.ssh", False, True),
        ("/home/ada/．ssh/key", False, True),
        ("/home/ada/.sshx/key", False, False),
        ("/data/../etc/shadow", True, True),
        ("s3://bucket/../.aws/key", True, True),
    ],
)
def test_where_data_may_lie(place: str, outside: bool, never: bool) -> None:
    assert bool(places.outside((place,), LIMITS)) == outside
    assert bool(places.never((place,), LIMITS)) == never

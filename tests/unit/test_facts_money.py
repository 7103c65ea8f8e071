"""What a call may cost at the most: exactly, and whatever it says of itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from given import NOW, Story, contract, endpoint, part, plan, step, survey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.judged import facts, pricing
from agent.plan import Step
from agent.survey import Survey
from policies.request import LARGEST, Facts
from tools.ports import EndpointState, Offer
from tools.record import Json


def of(story: Story, found: Step, **more: object) -> Facts:
    """The facts of a step with its own arguments."""
    given_: dict[str, object] = {"purse": story.purse, "digest": "d", "now": NOW}
    return facts.request(found, found.args, story.run, story.policies, **(given_ | more)).facts  # type: ignore[arg-type]


def told(*steps: Step, there: Survey | None = None, **more: object) -> Story:
    return Story(contract(part(strategy="canary"), **more), plan(*steps), seen=there)


def priced(
    tool: str, args: Json, *, usd: float = 3.6, there: EndpointState | None = None, **more: object
) -> int | None:
    found = step("s", tool, args, **more)
    seen_ = survey(*([there] if there is not None else []), usd_per_hour=usd)
    return pricing.cost(found, told(found, there=seen_).run, args, now=NOW)


SERVED = endpoint(("v0", 100))


def sized(replicas: int, *, left_s: float = 3600.0) -> EndpointState:
    """The endpoint with so many servers, which lives so long."""
    serving = SERVED.versions[0].model_copy(update={"replicas": replicas})
    return SERVED.model_copy(update={"versions": (serving,), "lease_until": NOW + left_s})


@pytest.mark.parametrize(
    ("tool", "args", "micro"),
    [
        ("prepare_data", {}, 120_000),
        ("deploy_model", {"endpoint": "x", "lease_s": 1000.0}, 1_000_000),
        ("deploy_model", {"endpoint": "x", "lease_s": 1000.0, "replicas": 3}, 3_000_000),
        ("deploy_model", {"endpoint": "x", "lease_s": 0.0001}, 1),
        ("shift_traffic", {"endpoint": "tumours"}, 0),
        ("inspect_endpoint", {"endpoint": "tumours"}, 0),
        ("release_resource", {"kind": "job", "id": "x"}, 0),
        ("register_model", {"name": "x"}, 0),
    ],
)
def test_a_call_reserves_price_times_servers_times_its_hard_limit(tool: str, args: Json, micro: int) -> None:
    assert priced(tool, args) == micro


@pytest.mark.parametrize(
    ("args", "micro"),
    [
        ({}, 0),
        ({"replicas": 4, "added": 3, "for_s": 3600.0}, 3 * 3_600_000),
        ({"replicas": 4, "added": 0, "for_s": 0.0}, 3 * 3_600_000),
        ({"replicas": 4}, 4 * 3_600_000),
        ({"replicas": 4, "added": 3, "for_s": 7200.0}, 3 * 7_200_000),
        ({"replicas": 1, "added": 0}, 0),
        ({"replicas": 1, "added": 2, "for_s": 3600.0}, 2 * 3_600_000),
    ],
    ids=str,
)
def test_servers_that_are_added_are_paid_for_to_the_end_of_the_lease_whatever_the_call_says(
    args: Json, micro: int
) -> None:
    """One server serves, and its endpoint lives an hour: a call cannot say that more servers are none, or live less."""
    assert priced("rollback_endpoint", {"endpoint": "tumours", "to": "v0"} | args, there=sized(1)) == micro
    if "replicas" in args:
        scaled = {"endpoint": "tumours", "version": "v0"} | args
        assert priced("scale_endpoint", scaled, there=sized(1)) == micro


def test_its_former_size_is_paid_for_already() -> None:
    back = {"endpoint": "tumours", "to": "v0", "replicas": 8, "added": 0}
    assert priced("rollback_endpoint", back, there=sized(8)) == 0


def test_handing_over_is_paid_for_every_server_that_there_is() -> None:
    keep = {"endpoint": "tumours", "owner": "ada", "for_s": 3600.0, "replicas": 1}
    assert priced("extend_lease", keep, there=sized(5)) == 5 * 3_600_000
    assert priced("extend_lease", keep | {"replicas": 7}, there=sized(5)) == 7 * 3_600_000


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "60", True, None, [60], {"$ref": "a.b"}])
def test_an_amount_that_is_none_is_not_known_and_never_free(value: object) -> None:
    assert priced("deploy_model", {"endpoint": "x", "lease_s": value}) is None


def test_a_cost_that_no_policy_can_compare_is_the_largest_there_is() -> None:
    assert priced("deploy_model", {"endpoint": "x", "lease_s": 1e300}) == LARGEST
    found = step("s", limit_s=1e300)
    assert of(told(found, there=survey(usd_per_hour=1.0)), found).limit_ms == LARGEST


@settings(max_examples=100, deadline=None, derandomize=True)
@given(price=st.integers(0, 10**9), seconds=st.floats(0.001, 1e8), servers=st.integers(1, 50))
def test_a_reservation_is_exact_and_never_below_what_it_reserves_for(price: int, seconds: float, servers: int) -> None:
    args = {"endpoint": "x", "lease_s": seconds, "replicas": servers}
    found = step("s", "deploy_model", args)
    here = Offer(id="here", backend="sim", cpus=1, memory_gb=1, usd_micro_per_hour=price, standing=True)
    run = told(found, there=survey().model_copy(update={"offers": (here,)})).run
    exact = price * servers * Decimal(repr(seconds)) / 3600
    cost = pricing.cost(found, run, args)
    assert cost is not None
    assert exact <= cost < exact + 1


def test_a_price_that_is_not_known_is_no_price_and_what_costs_nothing_needs_none() -> None:
    there = survey(usd_per_hour=None)
    prepare, shift = step("a"), step("b", "shift_traffic")
    story = told(prepare, shift, there=there)
    assert of(story, prepare).cost_micro is None
    assert of(story, shift).cost_micro == 0

"""The numbers people change: read strictly, every fault with its line, and in force once read."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from policies.calendar import Hours
from policies.faults import PolicyFaults
from policies.limits import load_limits
from policies.numbers import Numbers

SHIPPED = files("policies").joinpath("limits.yaml").read_text(encoding="utf-8")
LIMITS = load_limits()


def changed(*pairs: tuple[str, str]) -> str:
    text = SHIPPED
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def faults(text: str) -> list[str]:
    with pytest.raises(PolicyFaults) as caught:
        load_limits(text)
    return [str(fault) for fault in caught.value.faults]


def test_what_is_shipped_is_what_is_promised() -> None:
    """A change of these numbers is seen here."""
    assert (LIMITS.money.ask_above_usd, LIMITS.money.refuse_above_usd) == (20, 5000)
    assert LIMITS.production.environments == ("production",)
    assert {"kube-system", "kube-public", "kube-node-lease"} <= set(LIMITS.never.namespaces)
    assert LIMITS.approvals.expire_after_s == 86_400
    assert LIMITS.hours.environments == ()
    assert LIMITS.allowed.images == ()
    assert LIMITS.people.holders("release") == ()


def test_every_fault_is_named_at_once_with_its_place() -> None:
    text = changed(
        ("ask_above_usd: 20 ", "ask_above_usd: -1 "),
        ("calls: 8", "calls: 0"),
        ("trials: 500", "trials: lots"),
        ("longest_call_s: 1209600", "longest_call_s: .nan"),
        ("jobs: 32", "jobs: 1e400"),
        ("regions: any", "regions: some"),
        ('from: "09:00"', "from: 9"),
        ("timezone: UTC", "timezone: Nowhere/At_all"),
        ("expire_after_s", "expires"),
        ("production:\n", "prodution:\n"),
        ("{role: data, other", "{role: dat, other"),
    )
    said = "\n".join(faults(text))
    for place in (
        "limits.yaml:4:3 money.ask_above_usd",
        "parallel.calls",
        "parallel.jobs",
        "search.trials",
        "time.longest_call_s",
        "allowed.regions",
        "hours.from",
        "hours.timezone",
        "approvals.expire_after_s",
        "approvals.expires",
        "production",
        "prodution",
        "'dat'",
    ):
        assert place in said, place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("[]", "limits.yaml"),
        ("money: 1", "limits.yaml:1:1 money"),
        ("just text", "limits.yaml"),
        (SHIPPED + "\nmoney: {}\n", "a second time"),
        ("a: &x 1\nb: *x\n", "alias"),
        ("a: !!python/object:os.system x\n", "tag"),
        ("[" * 60, "deeper"),
        ("a: [", "not YAML"),
        ("a: '\x07'", "character"),
        ("a" * 300_000, "larger than 256 KiB"),
    ],
)
def test_limits_that_cannot_be_read_are_no_limits(text: str, said: str) -> None:
    assert said in "\n".join(faults(text))


def test_a_large_number_is_refused_and_not_wrapped() -> None:
    assert faults(changed(("refuse_above_usd: 5000", "refuse_above_usd: 1e13")))
    assert faults(changed(("trials: 500", "trials: 99999999999999999999")))


def test_nobody_is_asked_where_everything_is_refused() -> None:
    (fault,) = faults(changed(("ask_above_usd: 20 ", "ask_above_usd: 6000 ")))
    assert "nobody would ever be asked" in fault


def test_any_sets_no_limit_and_the_empty_list_allows_nothing() -> None:
    text = changed(("rate_usd_per_hour: 200 ", "rate_usd_per_hour: any "), ("gpus: any", "gpus: []"))
    numbers = Numbers.of(load_limits(text))
    assert numbers.rate_micro_per_hour is None
    assert numbers.gpus == ()
    assert numbers.regions is None


def test_who_may_answer() -> None:
    people = load_limits(changed(("release: [] ", "release: [bob, eve] "))).people
    assert people.who("production").role == "release"
    assert people.who("anything_else") == people.who("default")
    assert people.holders("release") == ("bob", "eve")
    assert [people.holds(user, "release") for user in ("bob", "ada", "", "*")] == [True, False, False, False]
    assert people.holds("ada", "operator")
    assert not people.holds("", "operator")
    assert not people.holds("ada", "no_such_role")


def test_a_rule_for_the_rest_must_stand_there() -> None:
    assert (
        "has no `default`" in faults(changed(("    default: {role: operator, other_than_requester: false}\n", "")))[0]
    )


BERLIN = ZoneInfo("Europe/Berlin")


def hours(start: str, end: str, *days: str) -> Hours:
    return Hours.model_validate(
        {"environments": ["production"], "days": days, "from": start, "to": end, "timezone": "Europe/Berlin"}
    )


@pytest.mark.parametrize(
    ("span", "at", "inside"),
    [
        (hours("09:00", "17:00", "mon"), datetime(2026, 3, 30, 9, 0), True),
        (hours("09:00", "17:00", "mon"), datetime(2026, 3, 30, 8, 59, 59), False),
        (hours("09:00", "17:00", "mon"), datetime(2026, 3, 30, 17, 0), False),
        (hours("09:00", "17:00", "mon"), datetime(2026, 3, 31, 12, 0), False),
        (hours("22:00", "02:00", "mon"), datetime(2026, 3, 30, 23, 0), True),
        (hours("22:00", "02:00", "mon"), datetime(2026, 3, 31, 1, 59), True),
        (hours("22:00", "02:00", "mon"), datetime(2026, 3, 30, 1, 0), False),
        (hours("22:00", "02:00", "sun"), datetime(2026, 3, 30, 1, 0), True),
        (hours("00:00", "24:00", "sun"), datetime(2026, 3, 29, 23, 59), True),
    ],
)
def test_the_hours_of_change_are_those_of_the_time_zone(span: Hours, at: datetime, inside: bool) -> None:
    assert span.contain(at.replace(tzinfo=BERLIN).timestamp()) == inside


def test_hours_follow_the_clocks_when_they_change() -> None:
    """On 29 March 2026 clocks in Berlin go from 2 to 3: 09:00 there is an hour earlier in UTC than the day before."""
    span = hours("09:00", "10:00", "sat", "sun")
    utc = ZoneInfo("UTC")
    assert span.contain(datetime(2026, 3, 28, 8, 30, tzinfo=utc).timestamp())
    assert not span.contain(datetime(2026, 3, 28, 7, 30, tzinfo=utc).timestamp())
    assert span.contain(datetime(2026, 3, 29, 7, 30, tzinfo=utc).timestamp())


def test_hours_in_which_nothing_could_be_changed_are_a_fault() -> None:
    with pytest.raises(ValueError, match="nothing could ever be changed"):
        hours("09:00", "09:00", "mon")
    with pytest.raises(ValueError, match="nothing could ever be changed"):
        hours("09:00", "17:00")

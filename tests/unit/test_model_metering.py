"""What asking a model costs: reserved at its most, settled by what the server counts, never free by ignorance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.brain.llm.client.endpoint import Endpoint
from agent.brain.llm.client.errors import Spent, Unpriced
from agent.brain.llm.client.metering import Meter, estimated, most_read
from agent.brain.llm.client.streamed import Usage
from agent.errors import OverLimit
from tools.record import Json

BODY = {"messages": [{"role": "user", "content": "x" * 1000}]}


class Purse:
    """An account with so many tokens."""

    def __init__(self, tokens: int) -> None:
        self.left = tokens
        self.reserved: dict[str, tuple[int, int]] = {}
        self.settled: dict[str, tuple[int, int]] = {}

    def reserve(self, call: str, *, tokens: int, usd_micro: int) -> None:
        if tokens > self.left:
            raise OverLimit("no room")
        assert call not in self.reserved
        self.reserved[call] = (tokens, usd_micro)
        self.left -= tokens

    def settle(self, call: str, *, tokens: int, usd_micro: int) -> None:
        self.settled[call] = (tokens, usd_micro)
        self.left += self.reserved[call][0] - tokens


def meter(price: tuple[float, float] | None = (2.0, 8.0), tokens: int = 10**6) -> tuple[Meter, Purse]:
    made, purse = Meter(Endpoint(url="http://x/v1", model="m", price=price, most_tokens=100), None), Purse(tokens)
    made.account = purse
    return made, purse


def test_the_most_is_reserved_and_what_was_used_is_settled() -> None:
    made, purse = meter()
    reserved = made.reserve("understand-1/1", BODY)
    assert purse.reserved["understand-1/1"] == (reserved.read + 100, reserved.read * 2 + 800)
    used = made.settle(reserved, Usage(read=300, written=7))
    assert purse.settled["understand-1/1"] == (307, 656)
    assert (used.read, used.written, used.usd_micro, used.counted) == (300, 7, 656, True)


def test_what_nobody_knows_is_settled_at_what_was_reserved() -> None:
    made, purse = meter()
    used = made.settle(made.reserve("a/1", BODY), None)
    assert purse.settled == purse.reserved
    assert not used.counted


def test_an_account_without_room_ends_the_question() -> None:
    made, purse = meter(tokens=200)
    with pytest.raises(Spent):
        made.reserve("a/1", BODY)
    assert purse.reserved == {}


def test_a_fraction_of_a_micro_dollar_is_a_whole_one() -> None:
    made, purse = meter(price=(0.05, 0.0))
    made.settle(made.reserve("a/1", {}), Usage(read=1, written=1))
    assert purse.settled["a/1"] == (2, 1)


@pytest.mark.parametrize("told", [0, 1])
def test_a_server_that_counts_nothing_of_what_it_was_sent_is_not_believed(told: int) -> None:
    made, purse = meter(price=(1.0, 1.0))
    body: Json = {"messages": [{"role": "user", "content": "long " * 400}]}
    made.settle(made.reserve("a/1", body), Usage(read=told, written=1))
    assert purse.settled["a/1"][0] >= 200
    made.settle(made.reserve("a/2", body), Usage(read=0, written=0), worked=False)
    assert purse.settled["a/2"] == (0, 0)


def test_an_unknown_price_is_asked_about_once_and_its_money_stays_unknown() -> None:
    asked: list[str] = []
    endpoint = Endpoint(url="http://x/v1", model="mystery", price=None)
    agreed = Meter(endpoint, lambda sentence: bool(asked.append(sentence)) or True)
    for call in ("a/1", "a/2"):
        assert agreed.settle(agreed.reserve(call, BODY), Usage(read=1, written=1)).usd_micro is None
    assert len(asked) == 1
    assert "mystery" in asked[0]


def test_a_no_is_a_no_for_good() -> None:
    asked: list[str] = []
    refused = Meter(Endpoint(url="http://x/v1", model="m", price=None), lambda sentence: bool(asked.append(sentence)))
    for call in ("a/1", "a/2"):
        with pytest.raises(Unpriced):
            refused.reserve(call, BODY)
    assert len(asked) == 1


def test_where_nobody_can_be_asked_an_unknown_price_is_a_no() -> None:
    with pytest.raises(Unpriced, match="GOALKEEPER_MODEL_PRICE"):
        meter(price=None)[0].reserve("a/1", BODY)


@given(st.text())
def test_a_reservation_holds_a_token_for_every_byte(text: str) -> None:
    assert most_read({"content": text}) >= len(text.encode(errors="surrogatepass"))


@given(st.text(max_size=2000), st.integers(0, 10_000))
def test_an_estimate_of_what_was_read_stays_within_what_was_reserved(text: str, answered: int) -> None:
    used = estimated({"content": text}, answered)
    assert used.read <= most_read({"content": text})
    assert used.written * 3 >= answered

"""How long and how often a model's server is tried: the breaker, what is repeated, what a server turns out to take."""

from __future__ import annotations

import threading

import pytest

from agent.brain.llm.client.breaker import Breaker
from agent.brain.llm.client.errors import NoAnswer, Nonsense, Unavailable, Unfit
from agent.brain.llm.client.habits import Habits, habits_of
from agent.brain.llm.client.retrying import ATTEMPTS, repeated


class Hands:
    """A clock that is set by hand, and sleeps by going on."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def test_three_failures_in_a_row_open_the_breaker_for_its_rest() -> None:
    hands = Hands()
    breaker = Breaker(hands.now, rest_s=60)
    for _ in range(3):
        assert breaker.rests() is None
        breaker.failed()
    assert breaker.rests() == 60
    hands.at += 59.5
    assert breaker.rests() == 0.5


def test_an_answer_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(Hands().now)
    for worked in (False, False, True, False, False):
        (breaker.worked if worked else breaker.failed)()
    assert breaker.rests() is None


@pytest.mark.parametrize("works", [True, False])
def test_after_the_rest_one_trial_decides(works: bool) -> None:
    hands = Hands()
    breaker = Breaker(hands.now, failures=1, rest_s=60)
    breaker.failed()
    hands.at += 61
    assert breaker.rests() is None
    assert breaker.rests() == 0.0  # somebody else is trying
    (breaker.worked if works else breaker.failed)()
    assert breaker.rests() == (None if works else 60)


def test_a_trial_that_decides_nothing_lets_another_try() -> None:
    hands = Hands()
    breaker = Breaker(hands.now, failures=1, rest_s=60)
    breaker.failed()
    hands.at += 61
    assert breaker.rests() is None
    breaker.undecided()
    assert breaker.rests() is None


def test_of_many_at_once_one_is_the_trial() -> None:
    hands = Hands()
    breaker = Breaker(hands.now, failures=1)
    breaker.failed()
    hands.at += 61
    went: list[bool] = []
    threads = [threading.Thread(target=lambda: went.append(breaker.rests() is None)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert went.count(True) == 1


class Server:
    """Raises what it is given, one after the other, then answers."""

    def __init__(self, *errors: NoAnswer) -> None:
        self.errors, self.asked = list(errors), 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_what_may_pass_is_tried_again_later_and_later() -> None:
    hands, server = Hands(), Server(Unavailable("a"), Unavailable("b"))
    assert repeated(server, left=lambda: 100.0, sleep=hands.sleep) == "answer"
    assert len(hands.slept) == 2
    assert 0 < hands.slept[0] <= hands.slept[1] + 0.5 < 10


def test_it_is_given_up_after_three_tries() -> None:
    hands, server = Hands(), Server(*(Unavailable(str(n)) for n in range(9)))
    with pytest.raises(Unavailable, match="2"):
        repeated(server, left=lambda: 1000.0, sleep=hands.sleep)
    assert server.asked == ATTEMPTS


@pytest.mark.parametrize("error", [Unfit("x"), Nonsense("x"), NoAnswer("x")])
def test_what_will_not_pass_is_never_repeated(error: NoAnswer) -> None:
    server = Server(error)
    with pytest.raises(type(error)):
        repeated(server, left=lambda: 100.0, sleep=Hands().sleep)
    assert server.asked == 1


def test_a_server_is_left_alone_as_long_as_it_asks() -> None:
    hands, server = Hands(), Server(Unavailable("busy", retry_after_s=7), Unavailable("busy", retry_after_s=0))
    assert repeated(server, left=lambda: 100.0, sleep=hands.sleep) == "answer"
    assert hands.slept == [7, 0]


def test_one_that_asks_for_more_than_is_left_is_given_up_at_once_and_it_is_said() -> None:
    hands, server = Hands(), Server(Unavailable("busy", retry_after_s=3600))
    with pytest.raises(Unavailable, match="busy; it asks to be left alone for 3600 s"):
        repeated(server, left=lambda: 180.0, sleep=hands.sleep)
    assert (server.asked, hands.slept) == (1, [])


def test_nothing_is_repeated_when_the_time_is_over() -> None:
    hands, server = Hands(), Server(Unavailable("slow"))
    with pytest.raises(Unavailable, match="slow"):
        repeated(server, left=lambda: 0.0, sleep=hands.sleep)
    assert (server.asked, hands.slept) == (1, [])


@pytest.mark.parametrize(
    ("says", "habit", "now"),
    [
        ("Unrecognized request argument supplied: stream_options", "counts", False),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "limit", "max_completion_tokens"),
        ("Unsupported value: 'temperature' does not support 0, only 1", "temperature", False),
        ("stream is not supported here", "streams", False),
        ("response_format of type json_schema is not supported", "form", "tool"),
        ("failed to parse grammar", "form", "tool"),
        ("Unknown field: structured outputs", "form", "tool"),
    ],
)
def test_a_refusal_teaches_what_it_names(says: str, habit: str, now: object) -> None:
    habits = Habits("auto")
    before = vars(Habits("auto"))
    assert habits.names(says, "schema")
    assert habits.learn(says, "schema")
    assert getattr(habits, habit) == now
    assert {n: v for n, v in vars(habits).items() if n not in (habit, "_lock")} == {
        n: v for n, v in before.items() if n not in (habit, "_lock")
    }


@pytest.mark.parametrize(
    ("says", "room"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5014 tokens (918 in the messages, "
         "4096 in the completion).", 3178),
        ("'max_tokens' is too large: 4096. This model's maximum context length is 4096 tokens and your request has 918 "
         "input tokens", 3178),
    ],
)  # fmt: skip
def test_a_small_context_leaves_room_for_a_shorter_answer(says: str, room: int) -> None:
    habits = Habits("auto")
    assert habits.learn(says, "schema")
    assert habits.parameters(4096)["max_tokens"] == room
    assert habits.parameters(100)["max_tokens"] == 100
    assert habits.form == "schema"


def test_a_prompt_that_leaves_no_room_teaches_nothing() -> None:
    said = "maximum context length is 2048 tokens. However, you requested 6044 tokens (1948 in the messages)"
    assert not Habits("auto").learn(said, "schema")


@pytest.mark.parametrize("says", ["", "no", "The model `x` does not exist", "maximum context length is 2048"])
def test_a_refusal_that_names_nothing_teaches_nothing(says: str) -> None:
    assert not Habits("auto").learn(says, "schema")


def test_learning_ends_whatever_a_server_says() -> None:
    habits, worst = Habits("auto"), "stream_options max_tokens temperature stream response_format tools schema"
    steps = 0
    while habits.learn(worst, habits.form):
        steps += 1
    assert steps == 7
    assert habits.form == "text"
    assert habits.parameters(10) == {"stream": False, "max_completion_tokens": 10}


def test_a_form_that_is_pinned_stays() -> None:
    habits = Habits("schema")
    assert not habits.learn("json_schema is not supported", "schema")
    assert not habits.ignored("schema")
    assert habits.form == "schema"


def test_what_somebody_else_has_learnt_meanwhile_is_tried() -> None:
    habits = Habits("auto")
    assert habits.learn("json_schema", "schema")
    assert habits.learn("json_schema", "schema")
    assert habits.form == "tool"


def test_prose_where_json_was_asked_for_leads_to_prose() -> None:
    habits = Habits("auto")
    assert habits.ignored("schema")
    assert habits.form == "text"
    assert not habits.ignored("text")


def test_a_process_remembers_by_endpoint_and_model() -> None:
    one = habits_of("http://127.0.0.1:1/v1", "m", "auto")
    assert habits_of("http://127.0.0.1:1/v1", "m", "auto") is one
    assert habits_of("http://127.0.0.1:1/v1", "n", "auto") is not one

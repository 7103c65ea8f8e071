"""Which model is asked where: from the settings, with every fault of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.brain.llm.client.endpoint import OPENAI, endpoint_of, is_loopback
from agent.errors import InvalidRequest
from agent.settings import load
from policies.limits import load_limits


def faults(**environ: str) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as raised:
        endpoint_of(load({}, environ, Path("/nowhere")), load_limits())
    return {fault.place: fault.what for fault in raised.value.faults}


def test_a_local_server_needs_an_address_and_a_model() -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1/", "GOALKEEPER_MODEL": "qwen3:8b"}
    endpoint = endpoint_of(load({}, environ, Path("/nowhere")), load_limits())
    assert (endpoint.url, endpoint.model, endpoint.key) == ("http://127.0.0.1:8000/v1", "qwen3:8b", None)
    assert endpoint.loopback


def test_openai_needs_a_key_and_a_model() -> None:
    environ = {"OPENAI_API_KEY": "sk-aaaaaaaaaaaaaaaaaaaaaaaa1", "GOALKEEPER_MODEL": "some-model"}
    endpoint = endpoint_of(load({}, environ, Path("/nowhere")), load_limits())
    assert endpoint.url == OPENAI
    assert not endpoint.loopback
    assert "sk-" not in repr(endpoint)


def test_a_price_that_is_set_wins_over_the_table() -> None:
    environ = {
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "GOALKEEPER_MODEL": "m",
        "GOALKEEPER_MODEL_PRICE": "1.5/6",
    }
    assert endpoint_of(load({}, environ, Path("/nowhere")), load_limits()).price == (1.5, 6.0)


def test_everything_that_is_missing_is_told_at_once() -> None:
    assert set(faults()) == {"GOALKEEPER_MODEL", "OPENAI_BASE_URL"}
    assert set(faults(OPENAI_BASE_URL="http://127.0.0.1:1/v1", GOALKEEPER_MODEL="  ")) == {"GOALKEEPER_MODEL"}


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "http://host:99999/v1", "http://[::1/v1"])
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    said = faults(OPENAI_BASE_URL=url, GOALKEEPER_MODEL="m")
    assert set(said) == {"OPENAI_BASE_URL"}
    assert "secret" not in str(said)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://a.localhost/v1", True),
        ("http://localhost.example/v1", False),
        ("http://127.0.0.1.example/v1", False),
        ("http://10.0.0.1/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_this_machine_is_told_from_others(url: str, here: bool) -> None:
    assert is_loopback(url) is here

"""Where a setting comes from, and that every fault is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.errors import InvalidRequest
from agent.settings import OPTIONS, Settings, Tracking, load
from tools.backends.local.registry import runtime_folder


def write(folder: Path, text: str) -> None:
    (folder / "goalkeeper.toml").write_text(text)


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load({}, {}, tmp_path)
    assert settings.home == tmp_path / ".goalkeeper"
    assert (settings.backend, settings.brain, settings.accept, settings.budget_usd) == ("local", "rules", False, None)
    assert settings.endpoint_lease_s == 8 * 3600
    assert settings.local_usd_per_hour == 0
    assert settings.origins["home"] == "default"


def test_a_flag_wins_over_a_variable_and_that_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, 'home = "from-file"\nbackend = "sim"\nbudget = 1\n')
    environ = {"GOALKEEPER_HOME": "from-environment", "GOALKEEPER_BACKEND": "local"}
    settings = load({"home": "from-flag"}, environ, tmp_path)
    assert settings.home == tmp_path / "from-flag"
    assert settings.backend == "local"
    assert settings.budget_usd == 1
    assert settings.origins["home"] == "--home"
    assert settings.origins["backend"] == "GOALKEEPER_BACKEND"
    assert settings.origins["budget_usd"] == "goalkeeper.toml budget"


def test_an_empty_variable_and_a_flag_not_given_say_nothing(tmp_path: Path) -> None:
    settings = load({"home": None, "yes": False}, {"GOALKEEPER_BACKEND": ""}, tmp_path)
    assert settings.backend == "local"
    assert settings.accept is False
    assert settings.origins["accept"] == "default"


def test_every_fault_of_every_source_is_listed(tmp_path: Path) -> None:
    write(tmp_path, 'bakend = "sim"\nyes = true\nload_rps = [1]\n')
    environ = {"GOALKEEPER_NOW": "yesterday", "GOALKEEPER_LOCAL_USD_PER_HOUR": "nan"}
    with pytest.raises(InvalidRequest) as caught:
        load({"budget": "a lot", "backend": "mars"}, environ, tmp_path)
    faults = {fault.place: fault for fault in caught.value.faults}
    assert set(faults) == {
        "goalkeeper.toml bakend",
        "goalkeeper.toml yes",
        "goalkeeper.toml load_rps",
        "--budget",
        "--backend",
        "GOALKEEPER_NOW",
        "GOALKEEPER_LOCAL_USD_PER_HOUR",
    }
    assert "backend" in faults["goalkeeper.toml bakend"].fix
    assert "never taken from a file" in faults["goalkeeper.toml yes"].fix
    assert "local or sim" in faults["--backend"].what


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e999", "", "１２", "twenty"])
def test_a_budget_that_is_no_amount_is_a_fault(tmp_path: Path, text: str) -> None:
    if text == "":
        assert load({"budget": None}, {"GOALKEEPER_BUDGET": text}, tmp_path).budget_usd is None
        return
    with pytest.raises(InvalidRequest):
        load({"budget": text}, {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "amount"), [("20", 20), ("$2.50", 2.5), ("1,000 USD", 1000), ("0", 0), ("US$ 7", 7), ("15$", 15)]
)
def test_a_budget_may_be_written_as_people_do(tmp_path: Path, text: str, amount: float) -> None:
    assert load({"budget": text}, {}, tmp_path).budget_usd == amount


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("8h", 28800), ("2d", 172800), ("60", 60)])
def test_a_lease_is_a_duration(tmp_path: Path, text: str, seconds: float) -> None:
    assert load({}, {"GOALKEEPER_ENDPOINT_LEASE": text}, tmp_path).endpoint_lease_s == seconds


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    assert load({}, {"GOALKEEPER_NOW": "2026-03-02T09:00:00+00:00"}, tmp_path).now == 1772442000
    with pytest.raises(InvalidRequest, match="UTC"):
        load({}, {"GOALKEEPER_NOW": "2026-03-02T09:00:00"}, tmp_path)


def test_a_settings_file_that_cannot_be_read_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "goalkeeper.toml").write_bytes(b"home = \xff")
    with pytest.raises(InvalidRequest, match=r"goalkeeper\.toml"):
        load({}, {}, tmp_path)


def test_agent_and_sweeper_look_for_local_resources_in_the_same_folder(tmp_path: Path) -> None:
    for environ in ({"GOALKEEPER_RUNTIME_DIR": str(tmp_path / "named")}, {"XDG_STATE_HOME": str(tmp_path)}, {}):
        assert load({}, environ, tmp_path).runtime == runtime_folder(environ)


def test_there_is_one_option_for_every_field_that_a_person_gives(tmp_path: Path) -> None:
    fields = set(Settings.model_fields) - {"user", "origins", "secrets"}
    assert {option.field.partition(".")[0] for option in OPTIONS} == fields
    assert len(Settings.model_fields) <= 30
    assert set(load({}, {}, tmp_path).origins) == {option.field for option in OPTIONS} | {"user", "secrets"}


def test_what_the_environment_holds_that_opens_doors_is_known_and_shown_to_nobody(tmp_path: Path) -> None:
    settings = load({}, {"MY_API_KEY": "canary-4f9a7c21", "PATH": "/bin", "MAX_TOKENS": "4096"}, tmp_path)
    assert set(settings.secrets) == {"MY_API_KEY"}
    assert "canary" not in repr(settings) + settings.model_dump_json()
    assert settings.redaction.text("a canary-4f9a7c21 b") == "a [withheld:MY_API_KEY] b"
    later = settings.model_copy(update={"tracking": Tracking(uri="http://x", token=SecretStr("canary-9d3e"))})
    assert later.redaction.text("canary-9d3e") == "[withheld:MLFLOW_TRACKING_TOKEN]"


def test_the_user_is_never_taken_from_flags_or_environment(tmp_path: Path) -> None:
    expected = load({}, {}, tmp_path).user
    assert load({"user": "eve"}, {"USER": "eve", "LOGNAME": "eve", "GOALKEEPER_USER": "eve"}, tmp_path).user == expected


def test_what_belongs_together_is_one_record_and_none_without_what_it_needs(tmp_path: Path) -> None:
    environ = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000", "MLFLOW_TRACKING_TOKEN": "canary-77d1"}
    settings = load({}, environ, tmp_path)
    assert settings.tracking is not None
    assert (settings.tracking.uri, settings.tracking.user) == ("http://127.0.0.1:5000", None)
    assert settings.origins["tracking.uri"] == "MLFLOW_TRACKING_URI"
    alone = load({}, {"MLFLOW_TRACKING_TOKEN": "canary-77d1"}, tmp_path)
    assert alone.tracking is None
    assert "canary" not in alone.redaction.text("a canary-77d1")


def test_where_spans_go_is_said_by_opentelemetrys_own_variables(tmp_path: Path) -> None:
    assert load({}, {}, tmp_path).traces is None
    named = load({}, {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, tmp_path).traces
    assert named is not None
    assert (named.exporter, named.disabled) == ("console", True)
    elsewhere = load({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, tmp_path)
    assert elsewhere.traces is not None
    assert elsewhere.traces.endpoint == "http://127.0.0.1:4318/v1/traces"


def test_the_address_of_the_store_is_never_taken_from_a_file_nor_repeated(tmp_path: Path) -> None:
    address = "postgresql://ada:canary-pw@db.example/goals"
    settings = load({}, {"GOALKEEPER_STORE": address, "GOALKEEPER_LOG": "json"}, tmp_path)
    assert settings.store is not None
    assert (settings.store.get_secret_value(), settings.log) == (address, "json")
    assert "canary" not in repr(settings) + settings.redaction.text(f"cannot reach {address}")
    write(tmp_path, f'store = "{address}"\n')
    for environ in ({}, {"GOALKEEPER_STORE": "mysql://ada:canary-pw@db.example/goals"}):
        with pytest.raises(InvalidRequest) as caught:
            load({}, environ, tmp_path)
        assert "canary" not in str(caught.value)

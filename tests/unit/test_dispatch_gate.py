"""The gate in front of every backend, and the tools behind it, on a simulated world in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world
from tools.catalogue import BY_NAME, TOOLS
from tools.dispatch import Dispatcher, Place, open_backend
from tools.errors import Conflict, Failed, Invalid, Refused, ToolError
from tools.ports import Scope, ServeSpec, Tags
from tools.record import Json
from tools.tool import Call, Done, Effect, Running, Tool, digest_of

PREPARE: Json = {
    "tables": [{"name": "sklearn:breast_cancer", "source": "sklearn:breast_cancer", "format": "bundled"}],
    "task": "classification",
    "label": "target",
}


class Gate:
    """A dispatcher over a world, with the verdicts that a journal would hold."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.backend = SimBackend(load_world("steady"), clock=self.clock, folder=folder / "objects")
        self.verdicts: dict[str, str] = {}
        self.dispatcher = Dispatcher(self.backend, approved=self.verdicts.get, now=self.clock.now)
        self.folder = folder

    def call(self, tool: str, args: Json, *, step: str = "s", approve: bool = True) -> Call:
        made = Call.of(run="r", step=step, attempt=1, tool=tool, args=args, limit_s=100.0, owner="ada")
        if approve:
            self.verdicts[made.id] = made.digest
        return made

    def does(self, tool: str, args: Json, *, step: str = "s") -> Json:
        """Perform an approved call to its end; its result."""
        call = self.call(tool, args, step=step)
        outcome = self.dispatcher.start(call)
        while isinstance(outcome, Running):
            self.clock.sleep(1.0)
            outcome = self.dispatcher.follow(call, outcome.handle)
        return outcome.result

    def model(self, name: str = "shop", *, number: int = 1) -> Json:
        """A registered model; another number is another model."""
        source = self.folder / "made" / name / str(number)
        source.mkdir(parents=True, exist_ok=True)
        (source / "model.json").write_text(json.dumps({"label": "y", "number": number}))
        (source / "validation.parquet").write_text("rows")
        self.backend.objects.put(f"made/{name}", source)
        args = {"name": name, "model": f"made/{name}", "data": f"made/{name}", "label": "y"}
        return self.does("register_model", args, step="register")

    def serves(self, *, name: str = "shop", number: int = 1) -> Json:
        """A version that is ready behind an endpoint."""
        made = self.model(name, number=number)
        args = {"endpoint": name, "version": made["version"], "model": made["key"], "digest": made["digest"]}
        return self.does("deploy_model", args | {"lease_s": 1000.0}, step=f"deploy-{made['version']}")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def changed(gate: Gate) -> list[str]:
    return [e.kind for e in gate.backend.effects if e.by == "call"]


PASSES: dict[str, Callable[[Dispatcher, Call], object]] = {
    "start": lambda dispatcher, call: dispatcher.start(call),
    "find": lambda dispatcher, call: dispatcher.find(call),
    "stop": lambda dispatcher, call: dispatcher.stop(call, "sim-job-1"),
}
FORGERIES: dict[str, Callable[[Call], Call]] = {
    "changed arguments": lambda c: c.model_copy(
        update={"args": {**c.args, "tables": [{"name": "x", "source": "/etc/passwd", "format": "csv"}]}}
    ),
    "changed arguments and their digest": lambda c: Call.of(
        run="r", step="s", attempt=1, tool=c.tool, args={**c.args, "seed": 7}, limit_s=1.0, owner="ada"
    ),
    "another tool": lambda c: c.model_copy(update={"tool": "tune_model"}),
    "another call": lambda c: c.model_copy(update={"id": "r/s/2"}),
}


@pytest.mark.parametrize("way", PASSES)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_nothing_passes_that_was_not_approved_exactly_so(gate: Gate, way: str, forgery: str) -> None:
    gate.does("prepare_data", PREPARE, step="before")
    before = changed(gate)
    call = gate.call("prepare_data", PREPARE)
    with pytest.raises(Refused, match="was not approved with these arguments"):
        PASSES[way](gate.dispatcher, FORGERIES[forgery](call))
    assert changed(gate) == before


def test_a_call_without_a_verdict_has_no_effect(gate: Gate) -> None:
    with pytest.raises(Refused):
        gate.dispatcher.start(gate.call("prepare_data", PREPARE, approve=False))
    assert changed(gate) == []


def test_an_approved_call_is_performed_with_its_own_tags(gate: Gate) -> None:
    call = gate.call("prepare_data", PREPARE)
    outcome = gate.dispatcher.start(call)
    assert isinstance(outcome, Running)
    (owned,) = gate.backend.jobs.owned(Scope())
    assert (owned.call, owned.run, owned.owner) == ("r/s/1", "r", "ada")
    assert owned.lease_until == gate.clock.now() + 160.0


def test_an_unknown_tool_is_invalid(gate: Gate) -> None:
    with pytest.raises(Invalid, match="there is no tool 'launch_missiles'"):
        gate.dispatcher.start(gate.call("launch_missiles", {}))
    with pytest.raises(Invalid, match="there is no tool"):
        gate.dispatcher.read("launch_missiles", {})


def test_every_wrong_argument_is_listed_and_nothing_happens(gate: Gate) -> None:
    call = gate.call("prepare_data", PREPARE | {"format": "xml", "surprise": 1, "seed": "x"})
    with pytest.raises(Invalid) as caught:
        gate.dispatcher.start(call)
    assert {f.split(":")[0] for f in caught.value.faults} == {
        "prepare_data.format",
        "prepare_data.surprise",
        "prepare_data.seed",
    }
    assert changed(gate) == []


@pytest.mark.parametrize("tool", [t for t in TOOLS if t.effect is not Effect.READS], ids=lambda t: t.name)
def test_a_tool_with_an_effect_is_not_called_without_a_verdict(gate: Gate, tool: Tool) -> None:
    with pytest.raises(Refused, match="only a tool that reads"):
        gate.dispatcher.read(tool.name, {})
    assert changed(gate) == []


def test_reading_needs_no_verdict(gate: Gate) -> None:
    assert gate.dispatcher.read("list_offers", {})["offers"]
    assert gate.dispatcher.read("inspect_endpoint", {"endpoint": "nobody"})["state"] is None
    assert gate.dispatcher.read("find_model", {"name": "nobody"})["key"] is None
    assert changed(gate) == []


def test_a_digest_does_not_depend_on_the_order_of_arguments_and_does_on_everything_else() -> None:
    one = digest_of("r", "s", 1, "t", {"a": 1, "b": [1, 2]}, 60.0, "ada")
    assert one == digest_of("r", "s", 1, "t", {"b": [1, 2], "a": 1}, 60.0, "ada")
    others = [
        digest_of("r", "s", 1, "u", {"a": 1, "b": [1, 2]}, 60.0, "ada"),
        digest_of("r", "s", 1, "t", {"a": 1, "b": [2, 1]}, 60.0, "ada"),
        digest_of("r", "s", 1, "t", {"a": "1", "b": [1, 2]}, 60.0, "ada"),
        digest_of("r", "s", 1, "t", {}, 60.0, "ada"),
        digest_of("q", "s", 1, "t", {"a": 1, "b": [1, 2]}, 60.0, "ada"),
        digest_of("r", "s", 2, "t", {"a": 1, "b": [1, 2]}, 60.0, "ada"),
        digest_of("r", "s", 1, "t", {"a": 1, "b": [1, 2]}, 1e8, "ada"),
        digest_of("r", "s", 1, "t", {"a": 1, "b": [1, 2]}, 60.0, "mallory"),
    ]
    assert one not in others
    with pytest.raises(ValueError, match="Out of range float"):
        digest_of("r", "s", 1, "t", {"a": float("nan")}, 60.0, "ada")


def test_a_tool_judges_only_arguments_it_has() -> None:
    with pytest.raises(ValueError, match="judges arguments it does not have"):
        Tool(**{**_fields(BY_NAME["find_model"]), "judged": ("nothing",)})
    with pytest.raises(ValueError, match="has no description"):
        Tool(**{**_fields(BY_NAME["find_model"]), "does": ""})


def _fields(tool: Tool) -> Json:
    return {name: getattr(tool, name) for name in Tool.__dataclass_fields__}


def test_every_tool_with_an_effect_can_be_looked_for_after_a_crash() -> None:
    assert [t.name for t in TOOLS if t.effect is not Effect.READS and t.find is None] == []


def test_every_tool_that_goes_on_outside_can_be_followed_and_found() -> None:
    runs = [t for t in TOOLS if t.uses == "jobs"]
    assert [t.name for t in runs if t.follow is None or t.stop is None or t.find is None] == []


@pytest.mark.parametrize("name", ["kubernetes", "aws", ""])
def test_a_backend_that_does_not_exist_is_said_so(name: str) -> None:
    with pytest.raises(Invalid, match="choose local or sim"):
        open_backend(Place(name=name, home="h", runtime="r"))


def test_choosing_takes_the_best_on_validation_and_counts_every_trial(gate: Gate) -> None:
    found = [
        {"key": "a", "family": "ridge", "value": 3.0, "trials": 4},
        {"key": "b", "family": "lasso", "value": 2.0, "trials": 5},
        {"key": "c", "family": "ridge", "value": None, "trials": 6},
    ]
    for direction, key in (("min", "b"), ("max", "a")):
        made = gate.does("select_model", {"candidates": found, "metric": "rmse", "direction": direction})
        assert (made["key"], made["trials"]) == (key, 15)


def test_choosing_among_nothing_is_invalid_and_a_candidate_without_a_model_fails(gate: Gate) -> None:
    with pytest.raises(Invalid):
        gate.does("select_model", {"candidates": [], "metric": "rmse", "direction": "min"})
    with pytest.raises(Failed, match="no model"):
        gate.does("select_model", {"candidates": [{"value": 1.0}], "metric": "rmse", "direction": "min"})


def test_the_same_content_is_the_same_version_whenever_it_is_registered(gate: Gate) -> None:
    one, again, other = gate.model(), gate.model(), gate.model(number=2)
    assert one == again
    assert one["version"] != other["version"]
    assert one["version"] == "v-" + one["digest"][:12]
    assert gate.does("find_model", {"name": "shop", "version": other["version"]})["key"] == other["key"]
    assert gate.does("find_model", {"name": "sho"})["key"] is None


def test_a_deployment_without_an_incumbent_and_one_beside_it(gate: Gate) -> None:
    first = gate.serves()
    assert first["incumbent"] is None
    gate.does("shift_traffic", {"endpoint": "shop", "version": first["version"], "percent": 10}, step="x")
    assert _weights(gate) == {first["version"]: 100}, "alone it gets everything there is"
    second = gate.serves(number=2)
    assert second["incumbent"] == first["version"]
    shift = {"endpoint": "shop", "version": second["version"], "percent": 10, "incumbent": first["version"]}
    made = gate.does("shift_traffic", shift, step="shift")
    assert made["weights"] == {second["version"]: 10, first["version"]: 90}


def _weights(gate: Gate) -> dict[str, int]:
    return {v.name: v.weight for v in gate.backend.serving.state("shop").versions if v.weight}


def test_a_version_is_its_content(gate: Gate) -> None:
    """Deployed again it is adopted; another model under its name is a failure and changes nothing."""
    first = gate.serves()
    again = {"endpoint": "shop", "version": first["version"], "model": "models/shop/" + first["version"]}
    gate.does("deploy_model", again | {"digest": first["digest"], "lease_s": 9.0}, step="again")
    before = changed(gate)
    with pytest.raises(Failed, match="already serves another model"):
        gate.does("deploy_model", again | {"digest": "f" * 64, "lease_s": 9.0}, step="other")
    assert changed(gate) == before


def test_a_server_that_reports_another_model_is_not_ready(gate: Gate) -> None:
    made = gate.model()
    args = {"endpoint": "shop", "version": "v1", "model": made["key"], "digest": "f" * 64, "lease_s": 1000.0}
    with pytest.raises(Failed, match="not the model that was evaluated"):
        gate.does("deploy_model", args)


def test_an_endpoint_that_ends_while_it_starts_is_a_failure_that_may_pass(gate: Gate) -> None:
    made = gate.model()
    args = {"endpoint": "shop", "version": "v1", "model": made["key"], "lease_s": 2.0}
    with pytest.raises(Failed) as caught:
        gate.does("deploy_model", args)
    assert caught.value.cause == "node_lost"


def test_rolling_back_gives_everything_back_and_takes_the_other_away(gate: Gate) -> None:
    first = gate.serves()
    gate.does("shift_traffic", {"endpoint": "shop", "version": first["version"], "percent": 100}, step="x")
    second = gate.serves(number=2)
    args = {"endpoint": "shop", "to": first["version"], "withdraw": second["version"]}
    for _ in range(2):
        made = gate.does("rollback_endpoint", args, step="back")
        assert made["weights"] == {first["version"]: 100}
    assert [v.name for v in gate.backend.serving.state("shop").versions] == [first["version"]]


def test_handing_over_sets_owner_and_lease(gate: Gate) -> None:
    first = gate.serves()
    made = gate.does(
        "extend_lease", {"endpoint": "shop", "owner": "team", "for_s": 500.0, "exactly": True}, step="keep"
    )
    state = gate.backend.serving.state("shop")
    assert (state.owner, state.run, state.lease_until) == ("team", "r", made["lease_until"])
    assert (made["version"], made["lease_until"]) == (first["version"], gate.clock.now() + 500.0)


def test_a_lease_is_shortened_only_when_that_is_asked(gate: Gate) -> None:
    gate.serves()
    before = gate.backend.serving.state("shop").lease_until
    gate.does("extend_lease", {"endpoint": "shop", "owner": "team", "for_s": 1.0}, step="keep")
    assert gate.backend.serving.state("shop").lease_until == before


@pytest.mark.parametrize("kind", ["job", "endpoint", "machine"])
def test_ending_what_is_not_there_is_success(gate: Gate, kind: str) -> None:
    made = gate.does("release_resource", {"kind": kind, "id": "nobody"})
    assert made["id"] == "nobody"


def test_withdrawing_nothing_changes_nothing(gate: Gate) -> None:
    gate.serves()
    before = changed(gate)
    assert gate.does("withdraw_version", {"endpoint": "shop", "version": None})["existed"] is False
    assert changed(gate) == before


def test_a_job_that_carries_the_call_already_is_adopted(gate: Gate) -> None:
    call = gate.call("prepare_data", PREPARE)
    handles = {o.handle for o in (gate.dispatcher.start(call), gate.dispatcher.start(call)) if isinstance(o, Running)}
    assert len(handles) == 1
    assert changed(gate) == ["jobs.submit"]
    found = gate.dispatcher.find(call)
    assert isinstance(found, Running)
    assert found.handle in handles


def test_a_failed_job_keeps_its_typed_cause(gate: Gate) -> None:
    gate.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="out_of_memory_host")
    with pytest.raises(Failed) as caught:
        gate.does("prepare_data", PREPARE)
    assert caught.value.cause == "out_of_memory_host"


def test_what_a_user_program_says_of_itself_is_a_claim_and_no_measurement(gate: Gate) -> None:
    data = gate.does("prepare_data", PREPARE, step="data")["key"]
    args = {"data": data, "command": ["python", "train.py"], "folder": "/work"}
    made = gate.does("launch_training", args)
    assert (made["value"], made["validation"]) == (None, [])


def test_a_stopped_job_has_ended(gate: Gate) -> None:
    call = gate.call("prepare_data", PREPARE)
    outcome = gate.dispatcher.start(call)
    assert isinstance(outcome, Running)
    for _ in range(2):
        gate.dispatcher.stop(call, outcome.handle)
    with pytest.raises(Failed, match="cancelled"):
        gate.dispatcher.follow(call, outcome.handle)
    assert changed(gate) == ["jobs.submit", "jobs.cancel"]


def test_what_is_in_the_way_is_a_typed_error(gate: Gate) -> None:
    tags = Tags(run="r", call="r/a/1", owner="ada", lease_until=gate.clock.now() + 9)
    gate.model()
    spec = ServeSpec(endpoint="shop", version="v1", model="made/shop")
    gate.backend.serving.deploy(spec=spec, tags=tags)
    with pytest.raises(Conflict) as caught:
        gate.backend.serving.deploy(spec=spec, tags=tags)
    assert isinstance(caught.value, ToolError)
    assert Done(result={}).result == {}

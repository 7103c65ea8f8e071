"""The facts of a call are true: whose things it touches, what it takes back, what it reads, what it may cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from carried import carry, seen
from given import ACCURACY, NOW, POLICIES, URI, Story, contract, endpoint, part, plan, step, survey
from hypothesis import given, settings
from hypothesis import strategies as st
from peopled import limits, policies

from agent.contract import Data
from agent.judged import facts, ownership
from agent.plan import Step
from agent.record.ledger import Purse
from agent.state import Run
from agent.survey import DataFacts, Survey
from policies.request import Facts
from tools.catalogue import BY_NAME
from tools.ports import Offer, Owned
from tools.recipes.probe_records import Probe
from tools.record import Json


def of(story: Story, found: Step, **more: object) -> Facts:
    """The facts of a step with its own arguments."""
    given_: dict[str, object] = {"purse": story.purse, "digest": "d", "now": NOW}
    return facts.request(found, found.args, story.run, story.policies, **(given_ | more)).facts  # type: ignore[arg-type]


def told(*steps: Step, there: Survey | None = None, **more: object) -> Story:
    return Story(contract(part(strategy="canary"), **more), plan(*steps), seen=there)


def test_the_accounts_and_what_runs_are_what_the_purse_says() -> None:
    left = {"left_requester_micro": 5, "left_month_micro": -6, "left_standing_micro": 7, "left_gpu_ms": 8}
    purse = Purse.model_validate(left | {"frozen": True, "jobs": 3, "rate_micro_per_hour": 40})
    found = step("s")
    story = told(found, there=survey(usd_per_hour=2.0), budget_usd=1.25)
    seen_ = of(story, found, purse=purse)
    assert (seen_.left_requester_micro, seen_.left_month_micro, seen_.left_standing_micro) == (5, -6, 7)
    assert (seen_.left_gpu_ms, seen_.frozen, seen_.jobs, seen_.left_micro) == (8, True, 3, 1_250_000)
    assert seen_.rate_micro_per_hour == 2_000_040


def test_where_it_would_run_and_for_how_long_on_which_devices() -> None:
    offer = Offer(
        id="g5", backend="sim", region="eu-1", cpus=8, memory_gb=32, gpu="a10g", gpu_count=2, usd_micro_per_hour=1
    )
    found, free = step("s", limit_s=1.5), step("t", "find_model")
    story = told(found, free, there=survey().model_copy(update={"offers": (offer,)}))
    there = of(story, found)
    assert (there.instance, there.region, there.gpu, there.gpu_ms) == ("g5", "eu-1", "a10g", 3000)
    assert (of(story, free).instance, of(story, free).gpu_ms) == (None, 0)


def test_time_never_goes_back_behind_the_journal() -> None:
    found = step("s")
    story = told(found)
    assert of(story, found, now=NOW - 1e6).now_ms == round(NOW * 1000)
    assert of(story, found, now=NOW + 0.0005).now_ms == round(NOW * 1000)
    assert of(story, found, now=NOW + 2).now_ms == round(NOW * 1000) + 2000


def test_the_hours_of_change_are_the_operators() -> None:
    hours = limits().hours.model_copy(update={"environments": ("production",), "days": ("mon",)})
    found = step("s")
    story = Story(contract(part()), plan(found), policies=policies(limits(hours=hours)))
    assert not of(story, found).in_hours, "2026 began on a Thursday"
    assert of(story, found, now=NOW + 4 * 86_400 + 10 * 3600).in_hours


def test_what_others_could_reach_is_what_a_tool_says_of_a_call() -> None:
    assert not facts.declared(BY_NAME["deploy_model"], {"public": True}, "public"), "it has no such argument"
    assert not facts.declared(None, {"public": True}, "public")


# Whose things it touches.


@pytest.mark.parametrize(
    ("tool", "args", "target"),
    [
        ("deploy_model", {"endpoint": "tumours"}, "tumours"),
        ("release_resource", {"kind": "job", "id": "job-1"}, "job-1"),
        ("register_model", {"name": "tumours"}, "models/tumours"),
        ("prepare_data", {}, None),
        ("deploy_model", {"endpoint": ["tumours"]}, None),
        ("release_resource", {"id": "job-1"}, None),
    ],
)
def test_what_a_call_acts_on(tool: str, args: Json, target: str | None) -> None:
    found = step("s", tool, args)
    assert of(told(found), found).target == target


def owning(owner: str) -> Survey:
    """A place in which a job of somebody's runs."""
    job = Owned(kind="job", id="job-1", run="other", call="other/x/1", owner=owner, lease_until=NOW, started=NOW)
    return survey().model_copy(update={"owned": (job,)})


@pytest.mark.parametrize(
    ("there", "tool", "args", "owner", "mine"),
    [
        (survey(), "deploy_model", {"endpoint": "tumours"}, None, True),
        (survey(endpoint(("v0", 100))), "deploy_model", {"endpoint": "tumours"}, "ada", True),
        (survey(endpoint(("v0", 100), owner="eve")), "deploy_model", {"endpoint": "tumours"}, "eve", False),
        (survey(), "shift_traffic", {"endpoint": "unseen"}, None, False),
        (survey(), "shift_traffic", {"endpoint": 7}, None, False),
        (survey(), "release_resource", {"kind": "endpoint", "id": "unseen"}, None, False),
        (survey(), "release_resource", {"kind": "job", "id": "job-1"}, None, False),
        (owning("ada"), "release_resource", {"kind": "job", "id": "job-1"}, "ada", True),
        (owning("eve"), "release_resource", {"kind": "job", "id": "job-1"}, "eve", False),
        (survey(), "release_resource", {}, None, False),
        (survey(), "tune_model", {}, None, True),
    ],
)
def test_what_nobody_has_looked_at_is_somebody_elses(
    there: Survey, tool: str, args: Json, owner: str | None, mine: bool
) -> None:
    found = step("s", tool, args)
    story = told(found, there=there)
    assert (of(story, found).owner, of(story, found).mine) == (owner, mine)


def deployed(there: Survey) -> Run:
    """A run that has deployed v1 to the endpoint."""
    wanted = contract(part(ACCURACY, strategy="direct"))
    story = Story(wanted, seen=there)
    carry(story, until="shift_traffic")
    assert story.run.of_step("deploy") is not None, story.run.calls
    return story.run


def test_what_the_run_made_it_may_end_and_what_was_there_before_it_did_not_make() -> None:
    release: Json = {"kind": "endpoint", "id": "tumours"}
    fresh, there = deployed(survey()), deployed(survey(endpoint(("v0", 100))))
    assert ownership.made_here("release_resource", release, fresh)
    assert ownership.undoes("release_resource", release, fresh)
    assert not ownership.made_here("release_resource", release, there)
    assert not ownership.undoes("release_resource", release, there)
    assert not ownership.made_here("release_resource", {"kind": "endpoint", "id": "other"}, fresh)
    job = fresh.calls["r/prepare/1"].handle
    assert ownership.made_here("release_resource", {"kind": "job", "id": job}, fresh)
    assert not ownership.made_here("release_resource", {"kind": "machine", "id": job}, fresh)
    assert not ownership.made_here("release_resource", {"kind": "job", "id": "tumours"}, fresh)


def test_an_endpoint_that_nobody_looked_at_is_not_made_here_by_deploying_to_it() -> None:
    run = deployed(survey())
    assert run.survey is not None
    run.survey = run.survey.model_copy(update={"endpoints": {}})
    assert not ownership.made_here("release_resource", {"kind": "endpoint", "id": "tumours"}, run)


@pytest.mark.parametrize(
    ("args", "undoes"),
    [
        ({"to": "v0", "withdraw": "v-1"}, True),
        ({"to": "v0"}, True),
        ({"to": "v0", "withdraw": "v-1", "replicas": 1, "added": 0}, True),
        ({"to": "v0", "withdraw": "v0"}, False),
        ({"to": "v-1"}, False),
        ({"to": "v9"}, False),
        ({"to": ["v0"]}, False),
        ({"to": "v0", "withdraw": "shadow"}, False),
        ({"to": "v0", "replicas": 20}, False),
        ({"to": "v0", "replicas": "1"}, False),
    ],
    ids=str,
)
def test_only_going_back_to_what_served_at_its_former_size_takes_back(args: Json, undoes: bool) -> None:
    """Nothing holds such a call: whatever else it does, it does not do under that name."""
    run = deployed(survey(endpoint(("v0", 100), ("shadow", 0))))
    assert ownership.undoes("rollback_endpoint", {"endpoint": "tumours"} | args, run) is undoes
    assert not ownership.undoes("rollback_endpoint", {"endpoint": "other"} | args, run)


def test_before_the_run_has_changed_anything_there_is_nothing_to_take_back() -> None:
    story = told(step("back", "rollback_endpoint"), there=survey(endpoint(("v0", 100))))
    assert not ownership.undoes("rollback_endpoint", {"endpoint": "tumours", "to": "v0"}, story.run)


@pytest.mark.parametrize(
    ("args", "undoes"),
    [({"version": "v-1"}, True), ({"version": None}, True), ({"version": "v0"}, False), ({}, False)],
)
def test_its_own_version_it_may_take_away_and_nothing_is_nothing(args: Json, undoes: bool) -> None:
    run = deployed(survey(endpoint(("v0", 100), owner="eve")))
    call: Json = {"endpoint": "tumours"} | args
    assert ownership.undoes("withdraw_version", call, run) is undoes
    assert ownership.mine("withdraw_version", call, run) is (args.get("version") == "v-1")


def test_a_version_that_was_there_before_is_not_its_own_by_deploying_it_again() -> None:
    run = deployed(survey(endpoint(("v-1", 0), owner="eve")))
    assert not ownership.own_version({"endpoint": "tumours", "version": "v-1"}, run)


def test_a_goal_that_ends_something_names_it() -> None:
    wanted = contract(part(task="cleanup", data=()))
    own, other = (step(i, "release_resource", {"kind": "endpoint", "id": n}) for i, n in (("a", "tumours"), ("b", "x")))
    story = Story(wanted, plan(own, other), seen=seen(wanted, serves=True))
    assert (of(story, own).named, of(story, other).named) == (True, False)
    assert not of(told(own), own).named, "a goal that deploys names nothing to end"


# What the goal and its data say.


def holding(**more: object) -> Survey:
    profile = Probe.model_validate({"source": URI, "format": "bundled"} | more)
    return survey().model_copy(update={"data": {URI: DataFacts(uri=URI, source=URI, profile=profile)}})


def test_columns_that_seem_personal_are_told_where_they_are_read_and_not_dropped() -> None:
    there = holding(personal=("email", "phone"))
    wanted = contract(part(data=(Data(uri=URI, label="target", format="bundled"),)))
    table = {"tables": [{"name": URI, "source": URI, "format": "bundled"}], "task": "classification", "label": "target"}
    read, dropped = step("a", args=table), step("b", args=table | {"drop_columns": ["email", "phone"]})
    some = step("c", args=table | {"drop_columns": ["email"]})
    other = step("d", args={"tables": [{"name": "x", "source": "/x", "format": "csv"}]})
    story = Story(wanted, plan(read, dropped, some, other), seen=there)
    assert of(story, read).personal == ("email", "phone")
    assert of(story, dropped).personal == ()
    assert of(story, some).personal == ("phone",)
    assert of(story, other).personal == ()


def test_a_restricting_licence_is_told_where_data_or_models_are_used() -> None:
    there = holding(licences=("CC-BY-NC",))
    prepare, tune = step("a"), step("b", "tune_model", {})
    story = Story(contract(part(ACCURACY)), plan(prepare, tune), seen=there)
    assert (of(story, prepare).licences, of(story, tune).licences) == (("CC-BY-NC",), ())
    wanted = contract(part(ACCURACY, task="evaluate", source_models=("a:v1",)))
    known = seen(wanted, serves=False).model_copy(update={"licences": {"a:v1": ("RAIL",), "b": ("Gemma-Terms",)}})
    evaluate = step("e", "evaluate_model", {})
    assert of(Story(wanted, plan(evaluate), seen=known), evaluate).licences == ("RAIL",)


def test_a_goal_that_trains_may_say_that_what_serves_is_not_trained_again() -> None:
    tune = step("t", "tune_model", {})
    assert of(Story(contract(part(ACCURACY), constraints=("no_retrain", "no_gpu")), plan(tune)), tune).constraints == (
        "no_gpu",
    )
    deploy = contract(part(task="deploy", data=()), constraints=("no_retrain",))
    assert of(Story(deploy, plan(tune)), tune).constraints == ("no_retrain",)


def test_places_are_told_as_they_are_and_not_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("x")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link.csv").symlink_to(tmp_path / "secret.csv")
    tables = [{"source": s} for s in ("link.csv", "../secret.csv", "s3://B/a/../b", "sklearn:iris")]
    found = step("s", args={"tables": tables})
    story = told(found)
    assert story.run.stated is not None
    story.run.stated = story.run.stated.model_copy(update={"folder": str(tmp_path / "project")})
    assert of(story, found).locations == (str(tmp_path / "secret.csv"), "s3://b/b", "sklearn:iris")
    folder = step("f", "bring_model", {"folder": "~/.ssh"})
    assert of(story, folder).locations == (str(Path.home() / ".ssh"),)


def test_a_training_image_is_told() -> None:
    wanted = contract(part(train={"kind": "image", "value": "docker.io/x/y:1"}))
    launch, other = step("a", "launch_training", {}), step("b")
    story = Story(wanted, plan(launch, other))
    assert (of(story, launch).images, of(story, other).images) == (("docker.io/x/y:1",), ())


def test_secrets_and_hidden_characters_are_found_in_every_argument() -> None:
    args: Json = {"tables": [{"name": "a\u202eb", "source": "x"}], "seed": "password=hunter2hunter2"}
    found = step("s", args=args)
    seen_ = of(told(found), found)
    assert (seen_.secrets, seen_.hidden) == (("seed",), ("tables.0.name",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def calls(draw: st.DrawFn) -> Step:
    """A step of any tool with arguments of any shape under its own names."""
    tool = draw(st.sampled_from(sorted(BY_NAME)))
    names = sorted(BY_NAME[tool].args.model_fields)
    args = draw(st.dictionaries(st.sampled_from(names), JSON, max_size=6)) if names else {}
    return step("s", tool, args, part=draw(st.sampled_from(["model", "other", None])))


def judged(found: Step) -> None:
    story = Story(contract(part(ACCURACY, strategy="canary")), plan(found), seen=survey(endpoint(("v0", 100))))
    verdict, approved = story.judged(found)
    assert (approved is not None) == (verdict.ruling == "approved")
    assert verdict.policies_digest == POLICIES.digest
    verdict.model_dump_json()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(found=calls())
def test_whatever_a_step_says_it_is_judged_and_nothing_is_raised(found: Step) -> None:
    judged(found)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(found=calls())
def test_whatever_thousands_of_steps_say_they_are_judged(found: Step) -> None:
    judged(found)

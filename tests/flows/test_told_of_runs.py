"""What logs, metrics and spans tell of whole runs: what happened, in closed words, and nothing of what it was about."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from simulated import ACCURACY, ERRORS, LATENCY, Reading, Stage, classify

from agent.errors import Busy, InvalidRequest
from agent.prospect import Request
from agent.session import Session
from agent.settings import load
from agent.state import Run
from agent.telemetry.logs import Logs
from agent.telemetry.metrics import Metrics
from agent.telemetry.observer import SILENT, Activation, Observer, Silent
from agent.telemetry.opening import Telemetry, open_telemetry
from agent.telemetry.sdk import provider
from agent.telemetry.serving import serve_metrics
from agent.telemetry.several import Several
from agent.telemetry.spans import Spans, place, trace_of
from tools.record import Record

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
SECRET, GOAL, TARGET = "canary-env-4f9a7c21e8", "canaryGoal77xyz", "canarytarget5"


class Watched(Stage):
    """A stage whose sessions tell everything to everybody."""

    def __init__(self, folder: Path, *contract: object, **more: object) -> None:
        super().__init__(folder, *(contract or (CANARY,)), **more)  # type: ignore[arg-type]
        self.log = io.StringIO()
        self.metrics = Metrics()
        self.exporter = InMemorySpanExporter()
        self.provider = provider([SimpleSpanProcessor(self.exporter)])

    def told(self) -> Observer:
        hush, now = self.settings.redaction, self.clock.now
        logs = Logs(self.log, "json", now=now, owner="1@2", redaction=hush)
        return Several([logs, self.metrics, Spans(self.provider.get_tracer("t"), now=now, redaction=hush)])

    def session(self, *_: object, **__: object) -> Session:
        plain = super().session()
        telemetry = Telemetry(observer=self.told())
        return Reading(
            settings=self.settings,
            backend=self.backend,
            brain=self.brain,
            clock=self.clock,
            policies=plain._policies,
            telemetry=telemetry,
        )

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [s for s in self.spans if s.name.startswith(name)]

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A run that serves, once for all that look at what was told of it."""
    stage = Watched(tmp_path_factory.mktemp("told"))
    stage.goal = f"classify tumours, my password={GOAL}"
    assert stage.ended().run.exit_code == 0
    return stage


def scraped(metrics: Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """What a scrape over HTTP says, by name and labels."""
    served = serve_metrics("127.0.0.1", 0, metrics.registry)
    try:
        with urllib.request.urlopen(served.url, timeout=10) as answer:
            text = answer.read().decode()
    finally:
        served.close()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_a_scrape_counts_what_the_journal_holds(ended: Watched) -> None:
    seen = scraped(ended.metrics)
    with Stage.session(ended) as session:
        run = session.runs().runs[0].id
        state = session._fold(run)
    over = [c for c in state.calls.values() if c.phase == "done"]
    assert sum(seen["goalkeeper_steps_total"].values()) == len(over)
    deployed = (("effect", "creates"), ("outcome", "done"), ("tool", "deploy_model"))
    assert seen["goalkeeper_steps_total"][deployed] == 1
    assert seen["goalkeeper_step_seconds_count"][(("tool", "deploy_model"),)] == 1
    assert seen["goalkeeper_activations_total"][(("outcome", "ended"),)] == 1
    assert seen["goalkeeper_activations_total"][(("outcome", "waits"),)] >= 1
    assert seen["goalkeeper_commit_seconds_count"][()] > 5
    settled = sum(c.settled_micro or 0 for c in state.calls.values())
    assert seen["goalkeeper_settled_usd_total"][()] == pytest.approx(settled / 1e6)
    assert sum(v for k, v in seen["goalkeeper_judged_total"].items() if ("ruling", "approved") in k) == len(over)


def test_names_follow_the_conventions_and_labels_are_closed(ended: Watched) -> None:
    ended.metrics.standing({"running": 2, "suspended": 1000, "whatever": 5})
    ended.metrics.woken("r", "due", late_s=-3.0)
    seen = scraped(ended.metrics)
    assert all(name.startswith("goalkeeper_") for name in seen)
    assert seen["goalkeeper_suspended_runs"][()] == 1000
    assert seen["goalkeeper_runs"][(("status", "running"),)] == 2
    assert (("status", "whatever"),) not in seen["goalkeeper_runs"]
    for name, samples in seen.items():
        unit = name.removesuffix("_created").removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        assert unit.endswith(("_total", "_seconds", "_runs")) or name.endswith("_created"), name
        assert len(samples) < 150, name


def test_metrics_are_served_on_this_machine_alone() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        with pytest.raises(InvalidRequest, match="no password"):
            serve_metrics(host, 0, Metrics().registry)
    served = serve_metrics("127.0.0.1", 0, Metrics().registry)
    try:
        port = int(served.url.split(":")[2].split("/")[0])
        for taken in (port, 70_000):
            with pytest.raises(InvalidRequest, match="cannot be served"):
                serve_metrics("127.0.0.1", taken, Metrics().registry)
    finally:
        served.close()


def test_the_log_names_the_run_the_tool_and_the_line_of_the_journal(ended: Watched) -> None:
    steps = [line for line in ended.lines() if line["event"] == "step"]
    assert {"deploy_model", "evaluate_model"} <= {s["tool"] for s in steps}
    with Stage.session(ended) as session:
        run = session.runs().runs[0].id
        intents = {f"{run}#{e.seq}": e for e in session.events(run) if e.kind == "intent"}
    assert {s["call"] for s in steps} == set(intents)
    assert all(s["run"] == run and s["backend"] == "sim" and s["owner"] == "1@2" and s["epoch"] for s in steps)
    assert all(isinstance(s["seconds"], float) and s["outcome"] in ("running", "done") for s in steps)
    assert ended.lines()[-2]["event"] in ("ended", "activation")


def test_one_run_is_one_trace_with_the_names_of_the_conventions(ended: Watched) -> None:
    (root,) = ended.named("invoke_workflow")
    run = str((root.attributes or {})["gen_ai.conversation.id"])
    assert {s.context.trace_id for s in ended.spans if s.context} == {trace_of(run)}
    assert root.parent is None
    assert root.context is not None
    assert root.context.span_id == place(run).span_id
    activations = ended.named("invoke_agent goalkeeper")
    assert all(a.parent is not None and a.parent.span_id == root.context.span_id for a in activations)
    known = {a.context.span_id for a in activations if a.context} | {root.context.span_id}
    assert all(s.parent is not None and s.parent.span_id in known for s in ended.spans if s is not root)
    tools = ended.named("execute_tool ")
    assert {"execute_tool deploy_model", "execute_tool tune_model"} <= {t.name for t in tools}
    told = dict(next(t for t in tools if t.name.endswith("deploy_model")).attributes or {})
    assert told["gen_ai.operation.name"] == "execute_tool"
    assert told["gen_ai.tool.name"] == "deploy_model"
    assert told["gen_ai.tool.type"] == "function"
    assert told["goalkeeper.tool.effect"] == "creates"
    assert all((t.end_time or 0) >= (t.start_time or 0) for t in ended.spans)
    judged = ended.named("goalkeeper.policy.judge")
    assert len(judged) >= len(tools)
    assert ended.named("plan")


def test_an_activation_is_linked_with_the_one_before_it_in_whatever_process(tmp_path: Path) -> None:
    stage = Watched(tmp_path, classify(ACCURACY))
    with stage.begun() as (session, run):
        session.wake(run)
    for _ in range(40):
        with stage.session() as other:
            if other.wake(run).ended:
                break
        stage.clock.sleep(60.0)
    activations = stage.named("invoke_agent")
    assert len(activations) > 1
    ids = [a.context.span_id for a in activations if a.context]
    assert len(set(ids)) == len(ids)
    for before, after in pairwise(activations):
        assert before.context is not None
        assert [link.context.span_id for link in after.links] == [before.context.span_id]


def test_what_fails_is_an_error_by_its_cause_and_nothing_else(tmp_path: Path) -> None:
    stage = Watched(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="out_of_memory_host", times=None)
    stage.ended()
    failed = [s for s in stage.named("execute_tool") if not s.status.is_ok]
    assert {(s.attributes or {})["error.type"] for s in failed} == {"out_of_memory_host"}
    assert all(not s.status.description and not s.events for s in stage.spans)
    assert scraped(stage.metrics)["goalkeeper_step_failures_total"][(("cause", "out_of_memory_host"),)] == len(failed)


def everything(stage: Watched) -> Iterator[tuple[str, str]]:
    """All that left through logs, metrics and spans."""
    yield "log", stage.log.getvalue()
    for span in stage.spans:
        yield "span", span.to_json()
    yield "metrics", repr(scraped(stage.metrics))


@pytest.mark.parametrize("ends", ["well", "badly", "refused"])
def test_no_word_of_a_goal_no_argument_and_no_secret_is_ever_told(tmp_path: Path, ends: str) -> None:
    """Canaries in the goal, in names that plans are made of, in the environment and in what a backend says."""
    (one,) = CANARY.parts
    named = one.model_copy(update={"name": TARGET, "target": TARGET})
    stage = Watched(tmp_path, CANARY.model_copy(update={"parts": (named,), "budget_usd": 50.0}))
    stage.settings = stage.settings.model_copy(update={"secrets": {"MY_API_KEY": SecretStr(SECRET)}})
    stage.goal = f"{GOAL}: classify tumours; the key is {SECRET}"
    if ends == "badly":
        stage.backend.faults.arm(operation="serving.deploy", fault="refuse", times=None)
    if ends == "refused":
        stage.settings = stage.settings.model_copy(update={"user": SECRET})
    stage.ended()
    words = (SECRET, GOAL, TARGET, "breast_cancer", "tumours", str(tmp_path), "accuracy")
    found = [(channel, word) for channel, text in everything(stage) for word in words if word.lower() in text.lower()]
    assert not found


class Broken(Silent):
    """An observer in which everything goes wrong: before, in and after."""

    @contextmanager
    def activation(self, run: str, *, epoch: int) -> Iterator[Activation]:
        raise RuntimeError(run)
        yield

    @contextmanager
    def planning(self, run: str) -> Iterator[None]:
        yield
        raise RuntimeError(run)

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        raise RuntimeError(run.id)


def test_an_observer_that_breaks_and_a_log_that_cannot_be_written_stop_nothing(tmp_path: Path) -> None:
    stage = Watched(tmp_path, classify(ACCURACY))
    stage.log.close()
    whole = stage.told()
    stage.told = lambda: Several([Broken(), whole])  # type: ignore[method-assign]
    assert stage.ended().run.exit_code == 0
    assert stage.named("invoke_workflow")


def test_an_error_passes_through_an_activation_with_its_type_alone(tmp_path: Path) -> None:
    stage = Watched(tmp_path)
    with pytest.raises(ZeroDivisionError), stage.told().activation("r", epoch=3):
        raise ZeroDivisionError(SECRET)
    (span,) = stage.spans
    assert dict(span.attributes or {})["error.type"] == "ZeroDivisionError"
    (line,) = stage.lines()
    assert (line["outcome"], line["cause"], line["level"]) == ("broken", "ZeroDivisionError", "warning")
    assert SECRET not in span.to_json() + stage.log.getvalue()


def test_a_run_that_another_process_has_taken_over_is_told_as_lost(tmp_path: Path) -> None:
    stage = Watched(tmp_path)
    with pytest.raises(Busy), stage.told().activation("r", epoch=3):
        raise Busy
    assert [line["event"] for line in stage.lines()] == ["lost", "activation"]
    assert stage.lines()[-1]["outcome"] == "busy"
    assert scraped(stage.metrics)["goalkeeper_lease_losses_total"][()] == 1


def test_nothing_is_told_and_nothing_heavy_is_imported_where_nothing_is_switched_on(tmp_path: Path) -> None:
    for environ in ({}, {"OTEL_TRACES_EXPORTER": "none"}, {"GOALKEEPER_LOG": "off"}):
        known = load({}, environ, tmp_path)
        assert open_telemetry(known, now=lambda: 0.0).observer is SILENT


def test_spans_go_where_opentelemetrys_variables_say(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    known = load({}, {"OTEL_TRACES_EXPORTER": "console", "GOALKEEPER_LOG": "text"}, tmp_path)
    with Session.open(known) as session:
        session.plan(Request(text="train on sklearn:iris", source="cli:ada", folder=str(tmp_path)))
    assert '"name": "plan"' in capfd.readouterr().err

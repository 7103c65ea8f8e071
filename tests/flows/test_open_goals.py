"""Goals that leave open what is done, on a simulated world, with a scripted model: from reads to what was measured."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from model_desk import asker as model_asker
from model_desk import in_turn, serving
from scripted_asker import ScriptedAsker, fitting, reads, steps
from simulated import ERRORS, LATENCY, Asked, Given, Stage, verdicts
from test_running_goals import STEADY, about, carried_out, served, sizes

from agent.brain.llm.client.errors import Unavailable
from agent.brain.llm.proposing.propose import Asks, propose
from agent.brain.protocol import Context, Open, Reads
from agent.contract import Contract, Part, Placement, Refusal
from agent.documents import Pending, RunDocument
from agent.goal import Goal
from agent.plan import Plan
from agent.settings import ModelForm
from evals.model_server.replies import Answers
from tools.backends.sim.world import World
from tools.ports import Offer
from tools.record import Json

INSPECT: Json = {"tool": "inspect_endpoint", "endpoint": "tumours"}
TRAFFIC: Json = {"tool": "read_traffic", "endpoint": "tumours", "seconds": 900.0}
WATCH: Json = {"tool": "monitor_endpoint", "endpoint": "tumours"}


class Modelled(Given):
    """A brain whose understanding is given and whose plans are a scripted model's."""

    name = "llm"

    def __init__(self, contract: Contract, asker: Asks) -> None:
        super().__init__(contract)
        self.asker = asker

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal | Open:
        assert isinstance(self.contract, Contract)
        return Open(contract=self.contract)

    def propose(self, *given: Any, **asked: Any) -> Plan | Reads:  # type: ignore[override]
        return propose(self.asker, *given, **asked)


MEND = "Why is tumours slow? Fix it, with another size if need be."


def opened(
    stage: Stage, wanted: Contract, *turns: Any, ask: Asked | None = None, goal: str = MEND
) -> tuple[RunDocument, ScriptedAsker]:
    """The run of an open goal, driven to its end."""
    asker = ScriptedAsker(*turns, endless=True)
    stage.brain = Modelled(wanted, asker)
    stage.goal = goal
    return stage.ended(ask=ask), asker


def size_of(scale: int) -> Json:
    return {"tool": "scale_endpoint", "endpoint": "tumours", "replicas": scale}


def crowded(folder: Path) -> Stage:
    """An endpoint whose slowest answers take many times the usual, since it has two servers and four would do."""
    few = STEADY.good.model_copy(update={"p50_ms": 2.0, "spread": 0.8, "enough": 4})
    stage, _ = served(folder, world=STEADY.model_copy(update={"good": few}), replicas=2)
    return stage


def slow(folder: Path) -> Stage:
    """The same, and no number of servers helps."""
    sick = STEADY.bad.model_copy(update={"p50_ms": 4.0, "spread": 2.0, "error_rate": 0.0})
    return _spoiled(folder, STEADY.model_copy(update={"bad": sick}), replicas=2)


def failing(folder: Path) -> Stage:
    """An endpoint of which half of the answers fail, with a version that was there before it."""
    sick = STEADY.bad.model_copy(update={"error_rate": 0.5})
    return _spoiled(folder, STEADY.model_copy(update={"bad": sick}), versions=2)


def _spoiled(folder: Path, world: World, *, versions: int = 1, **more: object) -> Stage:
    stage, made = served(folder, versions, world=world, **more)
    stage.backend.advance(3600.0)
    stage.backend.spoil("tumours", made[-1])
    carried_out(stage, about("watch", ERRORS if versions > 1 else LATENCY))
    return stage


def test_why_is_it_slow_fix_it_finds_the_cause_and_mends_it_and_measures_again(tmp_path: Path) -> None:
    stage = crowded(tmp_path)
    document, asker = opened(stage, about("diagnose"), steps(size_of(4), WATCH, TRAFFIC))
    assert document.run.exit_code == 0, document.run.reason
    assert len(asker.rendered) == 1
    assert "mend the cause capacity" in asker.rendered[0]
    assert "goalkeeper" not in asker.rendered[0], "it sees the cause and not the text"
    assert list(sizes(stage).values()) == [(100, 4)]
    tools = [s.tool for s in document.plan.steps]
    assert tools[:2] == ["inspect_endpoint", "read_traffic"]
    assert tools.index("scale_endpoint") < tools.index("monitor_endpoint") < tools.index("read_traffic", 2)
    said = "\n".join(document.run.findings)
    assert "cause capacity" in said
    assert "nothing that was measured of tumours is wrong" in said


@pytest.mark.parametrize("turn", [Unavailable("it is down"), {"kind": "plan"}, steps(INSPECT, {"tool": "usual_plan"})])
def test_without_a_model_the_rules_mend_it(tmp_path: Path, turn: Any) -> None:
    stage = crowded(tmp_path)
    document, _ = opened(stage, about("diagnose"), turn)
    assert document.run.exit_code == 0, document.run.reason
    assert list(sizes(stage).values()) == [(100, 4)]


def test_a_goal_that_says_to_change_nothing_is_only_looked_into(tmp_path: Path) -> None:
    stage = crowded(tmp_path)
    wanted = about("diagnose").model_copy(update={"constraints": ("read_only",)})
    document, asker = opened(stage, wanted, steps(size_of(4)))
    assert (document.run.exit_code, asker.rendered) == (1, [])
    assert "nothing was done about it" in document.run.reason
    assert list(sizes(stage).values()) == [(100, 2)]


@pytest.mark.parametrize(
    "goal",
    [
        "Diagnose tumours and report the cause.",
        "Why is tumours slow? I will fix it myself.",
        "tumours 为什么慢？只告诉我原因",
    ],
)
def test_who_only_asks_gets_an_answer_and_no_repair_whatever_the_model_takes_it_for(tmp_path: Path, goal: str) -> None:
    stage = crowded(tmp_path)
    document, asker = opened(stage, about("diagnose"), steps(size_of(4)), goal=goal)
    assert asker.rendered == []
    assert list(sizes(stage).values()) == [(100, 2)]
    assert "capacity" in str(document.run.findings) or "容量" in str(document.run.findings)


@pytest.mark.parametrize("goal", ["Halve the replicas of tumours.", "Scale tumours down.", "减少 tumours 的副本数"])
def test_a_model_that_goes_the_other_way_than_the_goal_says_changes_nothing_by_itself(
    tmp_path: Path, goal: str
) -> None:
    stage, _ = served(tmp_path, replicas=4)
    document, _ = opened(stage, about("scale", LATENCY), steps(size_of(8)), goal=goal)
    assert document.run.exit_code != 0
    assert [n for _, n in sizes(stage).values()] == [4]


def test_a_bad_version_is_mended_by_the_one_before_it(tmp_path: Path) -> None:
    stage = failing(tmp_path)
    (bad,) = sizes(stage)
    back: Json = {"tool": "rollback_endpoint", "endpoint": "tumours", "to": "version_2"}
    questions: list[Pending] = []

    def yes(question: Pending) -> bool:
        questions.append(question)
        return True

    document, asker = opened(stage, about("diagnose"), steps(back, TRAFFIC), ask=yes)
    assert document.run.exit_code == 0, document.run.reason
    assert [q.tool for q in questions] == ["withdraw_version"], "that the other version ends is the requester's to say"
    assert "mend the cause slo_breach" in asker.rendered[0]
    assert bad not in sizes(stage)
    assert [w for w, _ in sizes(stage).values()] == [100]


@pytest.mark.parametrize("harm", [size_of(1), size_of(5), size_of(1000)])
def test_a_remedy_that_is_none_is_not_carried_out_unasked(tmp_path: Path, harm: Json) -> None:
    stage = crowded(tmp_path)
    before = sizes(stage)
    document, _ = opened(stage, about("diagnose"), steps(harm))
    assert sizes(stage) == before
    assert document.run.exit_code != 0


class Aside(Given):
    """Measures without a look at what it measures: its reading waits for something else."""

    def propose(self, *given: Any, **asked: Any) -> Plan:
        plan = super().propose(*given, **asked)
        odd = {"tool": "list_offers", "args": {}}
        return plan.model_copy(update={"steps": (plan.steps[0].model_copy(update=odd), *plan.steps[1:])})


def test_a_measurement_without_a_look_diagnoses_nothing_and_ends_nothing(tmp_path: Path) -> None:
    stage = crowded(tmp_path)
    stage.brain = Aside(about("diagnose"))
    document = stage.ended()
    assert [s.tool for s in document.plan.steps] == ["list_offers", "read_traffic"]
    assert (document.run.exit_code, document.run.findings) == (0, ())


def test_what_ails_nothing_is_left_alone(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    before = len(stage.calls())
    document, asker = opened(stage, about("diagnose"), steps(size_of(2)))
    assert (document.run.exit_code, asker.rendered, len(stage.calls())) == (0, [], before)


def test_one_remedy_is_all_and_what_it_left_is_said(tmp_path: Path) -> None:
    stage = slow(tmp_path)
    document, asker = opened(stage, about("diagnose"), steps(size_of(4)))
    assert len(asker.rendered) == 1
    assert sum(1 for s in document.plan.steps if s.tool == "scale_endpoint") == 1
    assert (document.run.status, document.run.exit_code) == ("done", 1)
    assert document.run.reason.startswith("after the remedy: the slowest answers")


def test_a_remedy_that_only_looks_again_is_none(tmp_path: Path) -> None:
    stage = crowded(tmp_path)
    document, _ = opened(stage, about("diagnose"), steps(INSPECT, TRAFFIC))
    assert document.run.exit_code == 1
    assert "nothing was done about it" in document.run.reason


def _half(variables: Mapping[str, str], answer: object) -> Json:
    """What a good model makes of the facts."""
    line = next(f for f in variables["facts"].splitlines() if "traffic_percent=100" in f)
    now = int(line.partition("replicas=")[2].split()[0])
    return steps(size_of(now // 2), WATCH)


def test_half_the_replicas_if_p95_allows(tmp_path: Path) -> None:
    stage, _ = served(tmp_path, replicas=4)
    document, asker = opened(stage, about("scale", LATENCY), reads(INSPECT, TRAFFIC), _half)
    assert document.run.exit_code == 0, document.run.reason
    assert [n for _, n in sizes(stage).values()] == [2]
    assert verdicts(document)["latency_p95_ms"] == "MET"
    assert len(asker.rendered) == 2
    assert "p95_ms=" in asker.rendered[1]
    assert "p95_ms=" not in asker.rendered[0]


@pytest.mark.parametrize("form", ["schema", "tool", pytest.param("text", marks=pytest.mark.slow)])
def test_the_same_over_http_from_a_server_that_refuses_what_servers_refuse(tmp_path: Path, form: ModelForm) -> None:
    stage, _ = served(tmp_path, replicas=4)
    replies = in_turn(
        [Answers(reads(INSPECT, TRAFFIC)), Answers(steps(size_of(9000))), Answers(steps(size_of(2), WATCH))]
    )
    with serving(replies) as server:
        one = model_asker(server.url, form=form)
        stage.brain = Modelled(about("scale", LATENCY), one)
        document = stage.ended()
        consulted = one.consulted()
    assert document.run.exit_code == 0, document.run.reason
    assert list(sizes(stage).values()) == [(100, 2)]
    assert [(c.purpose, c.outcome, c.requests) for c in consulted] == [
        ("propose", "answered", 1),
        ("propose", "answered", 2),
    ], "what only the record forbids is mended in the same conversation"


def test_where_p95_does_not_allow_it_the_size_is_put_back(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, replicas=4)
    stage.backend.spoil("tumours", name)
    document, _ = opened(stage, about("scale", LATENCY), _half)
    assert document.run.exit_code == 1
    assert [n for _, n in sizes(stage).values()] == [4]


@pytest.mark.parametrize("replicas", [1, 9, 1000])
def test_less_than_half_and_more_than_twice_is_not_what_was_left_open(tmp_path: Path, replicas: int) -> None:
    stage, _ = served(tmp_path, replicas=4)
    document, _ = opened(stage, about("scale", LATENCY), steps(size_of(replicas), WATCH))
    assert [n for _, n in sizes(stage).values()] == [4]
    assert document.run.exit_code != 0


def test_a_model_that_reads_for_ever_leaves_the_size_to_a_person(tmp_path: Path) -> None:
    """The rules find no number by themselves, and to leave it as it is would be no answer to the goal."""
    stage, _ = served(tmp_path, replicas=4)
    document, asker = opened(stage, about("scale", LATENCY), reads(INSPECT))
    assert document.run.exit_code == 4, document.run.reason
    assert "how many replicas" in document.run.reason
    assert len(asker.rendered) == 4
    assert [n for _, n in sizes(stage).values()] == [4]


def _gpu(id_: str, region: str, dollars: float, count: int = 4) -> Offer:
    return Offer(
        id=id_,
        backend="sim",
        region=region,
        cpus=32,
        memory_gb=256,
        gpu="A100",
        gpu_count=count,
        gpu_memory_gb=40,
        usd_micro_per_hour=round(dollars * 1e6),
    )


def _cheapest(variables: Mapping[str, str], answer: object) -> Json:
    """What a good model makes of the offers: the cheapest of those with four, and its region."""
    found = []
    for line in variables["facts"].splitlines():
        if line.startswith("offer ") and "gpu=A100 gpu_count=4" in line:
            words = dict(w.split("=") for w in line.split() if "=" in w)
            found.append((float(words["usd_per_hour"]), line.split()[1].rstrip(":"), words["region"]))
    _, offer, region = min(found)
    return steps({"tool": "quote_cost", "offers": [offer], "regions": [region]})


def test_the_cheapest_region_that_has_four_a100s(tmp_path: Path) -> None:
    offers = (*STEADY.offers, _gpu("g.a", "r1", 14.0), _gpu("g.b", "r2", 11.0), _gpu("g.c", "r3", 2.0, count=1))
    wanted = Contract(
        parts=(Part(name="model", task="estimate"),),
        placement=Placement(gpu="A100", gpu_count=4),
        deadline_s=7 * 86_400.0,
    )
    stage = Stage(tmp_path, wanted, world=STEADY.model_copy(update={"offers": offers}))
    document, asker = opened(stage, wanted, reads({"tool": "list_offers"}), _cheapest)
    assert document.run.exit_code == 0, document.run.reason
    assert len(asker.rendered) == 2
    assert any("g.b" in f and "$11 an hour" in f for f in document.run.findings), document.run.findings
    assert stage.calls() == []


WORDS = ["tumours"] * 40 + ["version_1", "version_2"] * 4 + ["another", "../..", "\u202e"]


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 60))])
def test_whatever_a_model_makes_of_an_open_goal_stays_within_what_was_left_open(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    stage = crowded(tmp_path) if seed % 2 else failing(tmp_path)
    owned, before = {o.id for o in stage.owned()}, len(stage.calls())
    size = sum(v.replicas for v in stage.backend.serving.state("tumours").versions)
    wanted = about("diagnose" if seed % 4 < 2 else "scale")
    document, asker = opened(stage, wanted, lambda variables, answer: fitting(answer, rng, WORDS))
    assert document.run.status in ("done", "waiting"), document.run.reason
    assert len(asker.rendered) <= 5
    assert {o.id for o in stage.owned() if o.kind == "endpoint"} == owned
    asked = [e.args["replicas"] for e in stage.calls()[before:] if e.kind == "serving.scale"]
    assert all(1 <= n <= 2 * size for n in asked), asked
    assert not [e for e in stage.calls()[before:] if e.kind in ("serving.remove", "serving.withdraw")]

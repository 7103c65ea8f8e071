"""The Markdown report: what it says first, and that outside text stays inert."""

from __future__ import annotations

from agent.contract import Clause, Contract, Data, Part, Remark, Rollout
from agent.documents import (
    ClauseVerdict,
    Evidence,
    Feasibility,
    Kept,
    Resources,
    Revised,
    RunDocument,
    RunReport,
    Spent,
)
from agent.goal import Goal
from agent.markdown import render
from agent.plan import Estimate, Plan, Range, Step
from tools.tool import Effect

CLAUSE = Clause(id="accuracy", metric="accuracy", op=">=", value=0.9, where="holdout")
MET = ClauseVerdict(
    id="accuracy",
    part="penguins",
    metric="accuracy",
    verdict="MET",
    measured=0.9649122807,
    interval=(0.947, 0.981),
    evidence=Evidence(id="r1#41", path="runs/r1/holdout_rows.csv"),
    demanded="accuracy >= 0.9 on holdout",
    note="margin within noise",
)
KEPT = Kept(
    id="penguins",
    url="http://127.0.0.1:43121",
    model="penguins:v1",
    usd_per_hour=None,
    expires="2026-03-02T17:00:31+00:00",
    extend="goalkeeper extend penguins",
    stop="goalkeeper stop penguins",
)


def document(text: str = "Predict species.", **run: object) -> RunDocument:
    contract = Contract(
        parts=(
            Part(
                name="penguins",
                task="classification",
                data=(Data(uri="penguins.csv", label="species"),),
                clauses=(CLAUSE,),
                rollout=Rollout(strategy="canary", steps=(10, 100)),
            ),
        ),
        budget_usd=5,
        assumptions=(Remark(field="parts.0.split", text="a fifth is the holdout"),),
    )
    estimate = Estimate(usd=Range(low=0, high=0), seconds=Range(low=8, high=12))
    step = Step(
        id="train",
        tool="tune_model",
        part="penguins",
        effect=Effect.CREATES,
        args={},
        estimate=estimate,
        limit_s=60,
        needs=("prepare",),
    )
    report = RunReport(
        id="r1",
        status="done",
        clauses=(MET,),
        spent=Spent(usd=0.25, by={"compute": 0.25}),
        resources=Resources(created=("penguins",), kept=(KEPT,)),
        holdout_looks=2,
        revisions=(Revised(version=2, why="accuracy was short"),),
        report=None,
        started="2026-03-02T09:00:00+00:00",
        seconds=31.4,
        isolation="sandboxed",
    ).model_copy(update=run)
    return RunDocument(
        now="2026-03-02T09:00:00+00:00",
        goal=Goal.of(text, source="cli:ann"),
        contract=contract,
        plan=Plan(version=2, steps=(step,)),
        approvals=(),
        feasibility=Feasibility(verdict="feasible"),
        estimate=estimate,
        run=report,
    )


def test_the_verdict_comes_first() -> None:
    assert render(document()).startswith("# MET\n\n1 of 1 clause met\n")
    short = MET.model_copy(update={"verdict": "NOT MET"})
    assert render(document(clauses=(short,), exit_code=1, reason="out of budget")).startswith(
        "# NOT MET\n\nout of budget\n"
    )
    assert render(document(clauses=(), status="cancelled")).startswith("# CANCELLED\n")
    assert render(document(exit_code=3, reason="denied by ann")).startswith("# REFUSED\n\ndenied by ann")
    unproven = MET.model_copy(update={"verdict": "UNPROVEN", "measured": None})
    assert render(document(clauses=(unproven,), exit_code=4)).startswith("# UNPROVEN\n")


def test_every_clause_has_its_number_interval_evidence_and_note() -> None:
    (row,) = [line for line in render(document()).splitlines() if "**MET**" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "penguins",
        "`accuracy >= 0.9 on holdout`",
        "0.964912",
        "[0.947, 0.981]",
        "**MET**",
        "`r1#41` `runs/r1/holdout_rows.csv`",
        "margin within noise",
    ]


def test_the_report_says_what_goes_on_what_it_cost_and_what_it_rests_on() -> None:
    text = render(document())
    for words in (
        "price unknown, until 2026-03-02T17:00:31+00:00",
        "extend: `goalkeeper extend penguins`",
        "stop: `goalkeeper stop penguins`",
        "- spent: $0.25 of $5.00",
        "  - compute: $0.25",
        "isolation: `sandboxed`",
        "looks at the holdout: 2",
        "- plan 2: accuracy was short",
        "a fifth is the holdout",
        "goalkeeper run 'Predict species.'",
    ):
        assert words in text, words


def test_outside_text_cannot_become_markup() -> None:
    evil = "a | b <script> [x](http://evil.example) `rm` \x1b[31m # \n| new | row |"
    note = MET.model_copy(update={"note": evil, "part": "p|q"})
    text = render(document(text=evil, clauses=(note,), findings=(evil,), reason=evil))
    table = [line for line in text.splitlines() if "**MET**" in line]
    assert len(table) == 1
    assert table[0].replace("\\|", "").count("|") == 8
    assert "evil.example" not in text.partition("## How to reproduce")[0]
    assert "\x1b" not in text
    assert "<script>" not in text.partition("## How to reproduce")[0].replace("\\<script\\>", "")


def test_a_goal_cannot_leave_the_code_block_it_is_repeated_in() -> None:
    block = render(document(text="x\n```\n# MET\n'; rm -rf ~ #")).partition("```sh\n")[2]
    command = block.splitlines()[0]
    assert command.startswith("goalkeeper run 'x ")
    assert block.count("```") == 1


def test_a_refused_goal_has_a_report_too() -> None:
    refused = document(exit_code=3, clauses=(), resources=Resources(), revisions=()).model_copy(
        update={"contract": None, "plan": Plan(version=1, steps=())}
    )
    text = render(refused)
    assert text.startswith("# REFUSED")
    assert "## Contract" not in text

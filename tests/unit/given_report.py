"""A run's document with every kind of figure, and text that would like to steer whoever shows it."""

from __future__ import annotations

from agent.contract import Clause, Contract, Data, Part, Remark, Rollout
from agent.documents import (
    Attained,
    Bars,
    ClauseVerdict,
    Evidence,
    Feasibility,
    Figures,
    Histogram,
    Kept,
    Matrix,
    Point,
    Resources,
    Revised,
    RunDocument,
    RunReport,
    Span,
    Spent,
)
from agent.goal import Goal
from agent.plan import Estimate, Plan, Range, Step

EVIL = "<script>alert(1)</script><img src=x onerror=y>\"'`\x1b[2J & `onclick`"

cl = [
    Clause(id="accuracy", metric="accuracy", op=">=", value=0.9, where="holdout"),
    Clause(id="latency_p95_ms", metric="latency_p95_ms", op="<=", value=80, where="live"),
    Clause(id="error_rate", metric="error_rate", op="<=", value=0.01, where="live", abort=True),
]
part = Part(
    name="churn",
    task="classification",
    target="churn",
    data=(Data(uri="data/churn.csv", label="churned"),),
    clauses=tuple(cl),
    rollout=Rollout(strategy="canary", steps=(10, 50, 100)),
)
contract = Contract(
    parts=(part,),
    budget_usd=5.0,
    assumptions=(
        Remark(
            field="parts.0.rollout.lease_s",
            text="the goal does not say how long the endpoint lives; 8 h is the default",
        ),
    ),
)
edges = [0] + [round(0.5 * 1.35**i, 3) for i in range(14)]
counts = [0, 0, 3, 30, 120, 200, 90, 40, 20, 8, 3, 1, 1, 1]
figs = Figures(
    attained=(
        Attained(
            part="churn",
            clause="accuracy",
            metric="accuracy",
            op=">=",
            target=0.9,
            points=(
                Point(step="select", stage="validation", value=0.872, low=0.83, high=0.91),
                Point(step="select-2", stage="validation", value=0.913, low=0.88, high=0.94),
                Point(step="evaluate-2", stage="holdout", value=0.921, low=0.87, high=0.956),
            ),
        ),
        Attained(
            part="churn",
            clause="latency_p95_ms",
            metric="latency_p95_ms",
            op="<=",
            target=80,
            points=(
                Point(step="monitor-10", stage="live", value=5.2),
                Point(step="monitor-50", stage="live", value=4.1),
                Point(step="monitor-100", stage="live", value=4.4),
            ),
        ),
    ),
    matrices=(Matrix(part="churn", classes=("no", "yes"), counts=((70, 5), (4, 41))),),
    histograms=(
        Histogram(
            part="churn",
            of="residuals",
            edges=tuple(range(-10, 11)),
            counts=(0, 0, 0, 1, 3, 8, 20, 33, 45, 50, 45, 33, 20, 8, 3, 1, 0, 0, 0, 0),
        ),
        Histogram(part="churn", of="latency_ms", edges=tuple(edges), counts=tuple(counts), target=80.0),
    ),
    bars=(
        Bars(
            part="churn",
            of="error_by_horizon",
            metric="smape",
            names=tuple(f"{i}" for i in range(1, 8)),
            values=(0.03, 0.035, 0.04, 0.05, 0.05, 0.06, 0.065),
            other="seasonal naive",
            others=(0.06, 0.06, 0.07, 0.07, 0.08, 0.08, 0.09),
        ),
    ),
    timeline=tuple(
        Span(step=s, tool=t, part="churn", start_s=a, seconds=b, phase=p, attempt=1)
        for s, t, a, b, p in [
            ("prepare", "prepare_data", 0.5, 1.8, "done"),
            ("tune-logistic-regression", "tune_model", 2.4, 3.9, "done"),
            ("tune-gradient-boosting", "tune_model", 2.4, 7.1, "failed"),
            ("select", "select_model", 9.6, 0.02, "done"),
            ("evaluate", "evaluate_model", 9.7, 2.2, "done"),
            ("deploy", "deploy_model", 12, 1.5, "done"),
            ("shift-10", "shift_traffic", 13.6, 0.1, "done"),
            ("monitor-10", "monitor_endpoint", 13.8, 3.2, "done"),
            ("monitor-100", "monitor_endpoint", 17.2, 7.5, "done"),
        ]
    ),
)
run = RunReport(
    id="20261121-a1b2c3",
    status="done",
    clauses=(
        ClauseVerdict(
            id="accuracy",
            part="churn",
            metric="accuracy",
            verdict="MET",
            measured=0.921,
            interval=(0.87, 0.956),
            evidence=Evidence(
                id="20261121-a1b2c3#38", path="/home/me/.goalkeeper/objects/jobs/local-4e1f/holdout_rows.csv"
            ),
            demanded="accuracy >= 0.9 on holdout",
            note="margin within noise",
        ),
        ClauseVerdict(
            id="l",
            part="churn",
            metric="latency_p95_ms",
            verdict="NOT MET",
            measured=4.4,
            evidence=Evidence(id="20261121-a1b2c3#61"),
            demanded="latency_p95_ms <= 80 live",
            note="619 of 620 requests",
        ),
        ClauseVerdict(
            id="e",
            part="churn",
            metric="error_rate",
            verdict="UNPROVEN",
            measured=0.0,
            demanded="error_rate <= 0.01 live",
            note="inconclusive: 0 of 120 requests missed it; about 300 requests without a miss would prove it",
        ),
    ),
    spent=Spent(usd=1.2, by={"compute": 0.9, "endpoint": 0.3}),
    resources=Resources(
        created=("tune_model:local-1", "deploy_model:churn"),
        released=("tune_model:local-1",),
        kept=(
            Kept(
                id="churn",
                url="http://127.0.0.1:41567",
                model="v-0a1b2c3d4e5f",
                usd_per_hour=None,
                expires="2026-11-21T23:00:00Z",
                extend="goalkeeper extend churn --for 8h",
                stop="goalkeeper stop churn",
            ),
        ),
    ),
    holdout_looks=1,
    revisions=(Revised(version=2, why="validation accuracy 0.872, >= 0.9 is demanded"),),
    report="/x/report.md",
    reason="latency_p95_ms breached under live traffic: 1 of 620 requests missed it; <script>alert(1)</script>",
    started="2026-11-21T15:00:00Z",
    ended="2026-11-21T15:00:30Z",
    seconds=30.2,
    isolation="sandboxed",
    findings=("column 'joined' is constant", "12 exact duplicate rows were removed before the split"),
    figures=figs,
    exit_code=1,
)
steps = tuple(
    Step(
        id=s,
        tool=t,
        part="churn",
        effect="creates",
        args={},
        needs=n,
        estimate=Estimate(seconds=Range(low=1, high=4)),
        limit_s=60,
    )
    for s, t, n in [
        ("prepare", "prepare_data", ()),
        ("tune-logistic-regression", "tune_model", ("prepare",)),
        ("evaluate", "evaluate_model", ("tune-logistic-regression",)),
    ]
)
DOCUMENT = RunDocument(
    now="2026-11-21T15:00:00Z",
    goal=Goal(
        text="Train a classifier for churned on data/churn.csv with at least 90 % accuracy and deploy it with a canary",
        source="cli:ada",
        digest="9f" * 32,
    ),
    contract=contract,
    plan=Plan(version=2, steps=steps),
    approvals=(),
    feasibility=Feasibility(verdict="feasible"),
    estimate=Estimate(),
    run=run,
)

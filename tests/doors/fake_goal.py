"""One goal as it would be understood and planned: what the fake session works on."""

from __future__ import annotations

from agent.contract import Clause, Contract, Data, Part, Remark, Rollout
from agent.plan import Estimate, Range, Step
from tools.tool import Effect

CLAUSES = (
    Clause(id="accuracy", metric="accuracy", op=">=", value=0.9, where="holdout"),
    Clause(id="latency_p95_ms", metric="latency_p95_ms", op="<=", value=200, where="live"),
)
CONTRACT = Contract(
    parts=(
        Part(
            name="penguins",
            task="classification",
            data=(Data(uri="penguins.csv", label="species"),),
            models=("random_forest", "gradient_boosting"),
            clauses=CLAUSES,
            rollout=Rollout(strategy="canary", steps=(10, 50, 100), hold_s=5),
        ),
    ),
    budget_usd=5,
    deadline_s=7200,
    assumptions=(
        Remark(field="parts.0.split", text="a fifth of the rows is kept as holdout, stratified by species"),
        Remark(field="parts.0.rollout.lease_s", text="the endpoint lives for 8 h, since the goal does not say"),
    ),
)


def _step(id_: str, tool: str, effect: Effect, seconds: float, *needs: str, usd: float = 0.0) -> Step:
    estimate = Estimate(usd=Range(low=usd, high=usd * 2), seconds=Range(low=seconds, high=seconds * 1.5))
    return Step(id=id_, tool=tool, part="penguins", effect=effect, needs=needs, args={}, estimate=estimate, limit_s=600)


STEPS = (
    _step("prepare", "prepare_data", Effect.CREATES, 2),
    _step("train_random_forest", "tune_model", Effect.CREATES, 8, "prepare"),
    _step("train_gradient_boosting", "tune_model", Effect.CREATES, 10, "prepare"),
    _step("select", "select_model", Effect.READS, 0.1, "train_random_forest", "train_gradient_boosting"),
    _step("evaluate", "evaluate_model", Effect.READS, 3, "select"),
    _step("register", "register_model", Effect.CREATES, 0.2, "evaluate"),
    _step("deploy", "deploy_model", Effect.CREATES, 3, "register", usd=0.01),
    _step("canary_10", "shift_traffic", Effect.CHANGES, 0.1, "deploy"),
    _step("watch_10", "monitor_endpoint", Effect.READS, 5, "canary_10"),
    _step("promote", "shift_traffic", Effect.CHANGES, 0.1, "watch_10"),
)
SUMMARIES = {
    "prepare": "2,412 rows: 1,543 train, 386 validation, 483 holdout",
    "train_random_forest": "20 trials, best accuracy 0.9611 on validation",
    "train_gradient_boosting": "20 trials, best accuracy 0.9663 on validation",
    "select": "gradient_boosting, 0.9663 on validation",
    "evaluate": "accuracy 0.964912",
    "deploy": "http://127.0.0.1:43121",
    "watch_10": "612 requests, 0 errors, p95 6.2 ms",
}

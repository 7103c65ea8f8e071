"""What is done about trouble, as the contract of a run of its own: planned, judged and performed like any. Pure."""

from __future__ import annotations

from agent import learning
from agent.contract import Clause, Contract, Part, Relative, Rollout
from agent.service_state import Standing
from agent.upkeep import Reacted
from tools.language import tr
from tools.metrics import metric
from tools.record import Record

SOURCE = "standing:"
"""What the source of a reaction's goal begins with; the standing goal's name follows."""
NO_WORSE = "no-worse"
"""The clause that compares a new model with what serves."""


class Child(Record):
    """A run that a standing goal begins."""

    run: str
    text: str
    contract: Contract
    source: str
    owner: str
    accept: bool
    folder: str
    lease_s: float | None = None
    """For an extension: how long from now on."""
    usd: float | None = None
    """What it may cost."""


def child(name: str, state: Standing, done: Reacted) -> Child:
    """The run of a reaction of the standing goal of that name."""
    terms = state.terms
    match done.what:
        case "retrain":
            text = tr("train {endpoint} again: {why}", endpoint=terms.endpoint, why=done.why)
            contract = again(state, done)
        case "rollback":
            text = tr("roll {endpoint} back: {why}", endpoint=terms.endpoint, why=done.why)
            contract = _back(state)
        case "extend":
            text = tr("extend {endpoint}: {why}", endpoint=terms.endpoint, why=done.why)
            contract = terms.contract
    lease = None if done.lease_to is None else max(1.0, done.lease_to - done.at)
    return Child(
        run=done.run,
        text=text,
        contract=contract,
        source=SOURCE + name,
        owner=terms.owner,
        accept=terms.accept,
        folder=terms.folder,
        lease_s=lease,
        usd=done.usd,
    )


def again(state: Standing, done: Reacted) -> Contract:
    """The origin's contract with its data read anew, a canary, and a model that must not be worse than what serves."""
    terms, part = state.terms, state.terms.part
    wanted = part.model_copy(
        update={
            "upkeep": None,
            "rollout": _rollout(part, state, at=done.at),
            "clauses": (*(c for c in part.clauses if not learning.measured_later(c, part)), *no_worse(part)),
        }
    )
    return terms.contract.model_copy(update={"parts": (wanted,), "budget_usd": done.usd, "budget_per": None})


def _rollout(part: Part, state: Standing, *, at: float) -> Rollout:
    strategy = "shadow" if part.rollout.strategy == "shadow" else "canary"
    ends = state.terms.until
    lease = state.terms.lease_s
    if ends is not None:
        lease = max(60.0, ends - at) if lease is None else max(60.0, min(lease, ends - at))
    return part.rollout.model_copy(update={"strategy": strategy, "lease_s": lease})


def no_worse(part: Part) -> tuple[Clause, ...]:
    """On the same fresh rows, at least as good as what serves; nothing where no metric is compared."""
    name, class_ = _compared(part)
    known = metric(name)
    if known is None or any(_beside(c) and c.metric == name for c in part.clauses):
        return ()
    op = ">=" if known.better == "max" else "<="
    made = {"id": NO_WORSE, "metric": name, "op": op, "value": None, "where": "holdout", "class": class_}
    return (Clause.model_validate(made | {"relative": Relative(to="incumbent")}),)


def _beside(clause: Clause) -> bool:
    return clause.where == "holdout" and clause.relative is not None and clause.relative.to == "incumbent"


def _compared(part: Part) -> tuple[str, str | None]:
    """The metric that the goal cares about most, and of which class."""
    for clause in part.clauses:
        if clause.where == "holdout" and not clause.metric.startswith(learning.CUSTOM):
            return clause.metric, clause.class_
    if part.objective is not None and not part.objective.metric.startswith(learning.CUSTOM):
        return part.objective.metric, None
    return learning.DEFAULT_METRIC.get(learning.task_of(part), ""), None


def _back(state: Standing) -> Contract:
    endpoint = state.terms.endpoint
    part = Part(name=endpoint, task="rollback", target=endpoint)
    kept = state.terms.contract
    return Contract(parts=(part,), environment=kept.environment, constraints=kept.constraints, placement=kept.placement)

"""Evaluation: a job of its own with the frozen model, our evaluator and the only key to the holdout."""

from __future__ import annotations

from tools import jobs
from tools.recipes.records import EvaluateArgs, EvaluateResult
from tools.tool import Effect, Outcome, Running, Site, Tool


class EvaluateModel(EvaluateArgs):
    data: str
    """Object key of the prepared data."""
    model: str
    """Object key of the model."""


class Evaluated(EvaluateResult):
    key: str
    """Object key of the evidence: `holdout_rows.csv` and `evaluation.json`."""
    isolation: str = "none"


def _start(args: EvaluateModel, site: Site) -> Running:
    recipe = EvaluateArgs.model_validate(args.model_dump(exclude={"data", "model"}))
    mounts = {"data": args.data, "model": args.model}
    return jobs.start(jobs.recipe("evaluate", recipe, site=site, mounts=mounts, secrets=("holdout.private",)), site)


def _follow(args: EvaluateModel, site: Site, handle: str) -> Outcome:
    del args
    return jobs.follow(site, handle, EvaluateResult, lambda made, state: Evaluated(**dict(made), **jobs.left(state)))


evaluate_model = Tool(
    name="evaluate_model",
    does="Open the sealed holdout once and measure the frozen model on it.",
    effect=Effect.CREATES,
    args=EvaluateModel,
    result=Evaluated,
    requires=("data", "model"),
    provides=("holdout",),
    judged=("data", "model"),
    uses="jobs",
    start=_start,
    follow=_follow,
    find=jobs.find,
    stop=jobs.stop,
)

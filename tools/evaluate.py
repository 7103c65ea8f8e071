"""Evaluation: a job of its own with the frozen model, our evaluator and the only key to the holdout."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pydantic import model_validator

from tools import jobs
from tools.judged import View
from tools.language import tr
from tools.recipes.records import SEEN, Against, EvaluateArgs, EvaluateResult
from tools.record import Json
from tools.register import seen_of
from tools.tool import Effect, Outcome, Running, Site, Tool

_OWN = ("data", "model")
"""Mounts that no other model can have the name of."""
_EXISTING = ("models/", "imports/")
"""Where models lie that existed before: registered ones, and those from a folder of this machine."""


class EvaluateModel(EvaluateArgs):
    data: str
    """Object key of the prepared data."""
    model: str
    """Object key of the model."""
    called: str | None = None
    """What the model under test is called in a report; None: it is the part's own."""
    others: Mapping[str, str] = {}
    """Name in `against` → object key of that model."""
    rivals: Mapping[str, str] = {}
    """Other candidates of the same search by family → object key: each is compared with as `other`."""

    @model_validator(mode="after")
    def _every_other_is_there(self) -> EvaluateModel:
        missing = [a.name for a in self.against if a.to != "baseline" and a.name not in self.others]
        taken = [n for n in (*self.others, *self.rivals) if n in _OWN]
        if missing:
            raise ValueError(tr("no model is given for {names}", names=", ".join(missing)))
        if taken:
            raise ValueError(tr("{names} cannot be a model's name here", names=", ".join(taken)))
        return self

    @property
    def recipe(self) -> EvaluateArgs:
        """What the evaluation itself is told."""
        rivals = tuple(Against(to="other", name=n) for n in self.rivals if n not in self.others)
        return EvaluateArgs(
            **{name: getattr(self, name) for name in EvaluateArgs.model_fields if name != "against"},
            against=(*self.against, *rivals),
        )

    @property
    def mounts(self) -> dict[str, str]:
        return {**self.rivals, **self.others, "data": self.data, "model": self.model}


class Evaluated(EvaluateResult):
    key: str
    """Object key of the evidence: `holdout_rows.csv` and `evaluation.json`."""
    isolation: str = "none"


def _start(args: EvaluateModel, site: Site) -> Running:
    existing = {name: key for name, key in args.mounts.items() if name != "data" and key.startswith(_EXISTING)}
    recipe = args.recipe.model_copy(update={"existing": tuple(existing)})
    mounts = {**args.mounts, **_seen(existing, site)}
    return jobs.start(jobs.recipe("evaluate", recipe, site=site, mounts=mounts, secrets=("holdout.private",)), site)


def _seen(existing: Mapping[str, str], site: Site) -> dict[str, str]:
    """What is known of the rows that the models were trained on, as mounts."""
    objects = site.backend.objects
    wanted = {name + SEEN: seen_of(key) for name, key in existing.items() if key.startswith("models/")}
    return {name: key for name, key in wanted.items() if key in objects.names(key)}


def _follow(args: EvaluateModel, site: Site, handle: str) -> Outcome:
    del args
    return jobs.follow(site, handle, EvaluateResult, lambda made, state: Evaluated(**dict(made), **jobs.left(state)))


def _program(args: Json) -> object:
    """What `predict` starts."""
    command = args.get("predict")
    return shlex.split(command)[0] if command else None


evaluate_model = Tool(
    name="evaluate_model",
    does="Open the sealed holdout once, measure the frozen model on it and compare it with others on the same rows.",
    effect=Effect.CREATES,
    args=EvaluateModel,
    result=Evaluated,
    requires=("data", "model"),
    provides=("holdout",),
    judged=("data", "model", "folder", View(name="program", kind="text", reads=("predict",), of=_program)),
    places=("folder",),
    uses="jobs",
    start=_start,
    follow=_follow,
    find=jobs.find,
    stop=jobs.stop,
)

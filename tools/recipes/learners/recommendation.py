"""Recommendation from who met which item: what users with similar tastes wanted, without any other column.

Rows that say which class they are, for a classifier, are learnt in `pointwise`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from tools.language import tr
from tools.recipes.answers.answer import Answer
from tools.recipes.answers.measures import CUSTOM
from tools.recipes.answers.rankings import DEPTH, JUDGED
from tools.recipes.answers.wanted import Lists, Wanted, most_popular, rankings, wanted
from tools.recipes.card import Card
from tools.recipes.faults import BadInput, Fault, refuse
from tools.recipes.learners.learner import Opened, Recipe, Told
from tools.recipes.models.families import Choice, Params, require_suited
from tools.recipes.models.interactions import Catalogue, Texts, Yes, catalogue, id_input, ids, met, yes_of
from tools.recipes.models.model import Model
from tools.recipes.models.recommenders import SERVED, ItemNeighbours, MatrixFactors, Recommender
from tools.recipes.parts import Part
from tools.recipes.records import EvaluateArgs, Family, Measure, TrainArgs

FAMILIES: tuple[Family, ...] = ("item_knn", "matrix_factorization")
_SPACES: Mapping[Family, Mapping[str, Choice]] = {
    "item_knn": {
        "neighbours": Choice(low=5, high=200, scale="integer", grid=(50, 20, 100, 200)),
        "shrinkage": Choice(low=0.5, high=100.0, scale="log", grid=(10.0, 1.0, 50.0)),
    },
    "matrix_factorization": {
        "factors": Choice(scale="list", grid=(16, 8, 32, 64, 4, 128)),
        "damping": Choice(low=0.0, high=0.7, scale="linear", grid=(0.3, 0.0, 0.5)),
    },
}


class Collaborative:
    """Who met which item in training, and what the users of the validation part wanted. A `Learner`."""

    def __init__(self, args: TrainArgs, train: Part, validation: Part) -> None:
        """BadInput when a column is missing, or nobody in the validation part wanted anything."""
        require_suited(args.family, args.task, FAMILIES)
        refuse(_metric_faults([Measure(metric=args.metric), *args.measures]))
        self.args = args
        self.digest = train.digest
        user, _ = ids(args.roles)
        self._input = id_input(train.features, user)
        self._yes = yes_of(args.label, args.positive, train)
        self._known = _known(args, train, self._yes)
        self._on = wanted(met(validation, args.roles, self._yes), self._known, self._yes)
        refuse(_nobody("validation", self._on))
        self._popular = most_popular(self._on)
        self.rows = train.features.height
        self.cells = int((np.diff(self._known.liked.indptr).astype(np.float64) ** 2).sum())

    def space(self) -> Mapping[str, Choice]:
        return _SPACES[self.args.family]

    def fit(self, params: Params, share: float = 1.0) -> Recommender:
        chosen: dict[str, Any] = dict(params)
        item_knn = self.args.family == "item_knn"
        made = ItemNeighbours(**chosen) if item_knn else MatrixFactors(**chosen, seed=self.args.seed)
        liked = self._known.liked
        if share < 1.0:
            order = np.random.default_rng(self.args.seed).permutation(liked.nnz)
            liked = liked.copy()
            liked.data[order[max(2, round(share * liked.nnz)) :]] = 0.0
            liked.eliminate_zeros()
        return made.fit(self._known, liked)

    def outcome(self, fitted: Recommender) -> Answer:
        return rankings(self._on, listed(fitted, self._on.users), beside=self._popular)

    def baseline(self) -> Answer:
        return self._popular

    def card(self, params: Params) -> Card:
        args = self.args
        return Card(
            task=args.task,
            label=args.label,
            roles=args.roles,
            answers="text",
            inputs=(self._input,),
            positive=args.positive,
            family=args.family,
            params=dict(params),
            data_digest=self.digest,
            versions={name: version(name) for name in ("scikit-learn", "scipy", "skops", "numpy")},
        )


def listed(fitted: Recommender, users: Texts, depth: int = DEPTH) -> Lists:
    """Item ids as text, best first, for every user."""
    return [[str(name) for name in fitted.items_[row[row >= 0]]] for row in fitted.ranked(users, depth)]


def answer(args: EvaluateArgs, told: Told, opened: Opened) -> Answer:
    """The lists that were told for the users of the holdout. Where a model of ours told them, the report goes on below
    what is served."""
    refuse(_metric_faults(args.measures))
    on = _on_holdout(args, opened)
    if told.model is not None and told.model.metadata.answers != "text":
        problem = tr("says a class of each row and ranks no items")
        raise BadInput([Fault(place="model", problem=problem, fix=tr("compare models of the same kind"))])
    first = np.unique(on.row_user, return_index=True)[1]
    lists = _parsed([str(told.prediction[row]) for row in first])
    lists = lists if told.model is None else _further(told.model, on.users, lists)
    return rankings(on, lists, beside=most_popular(on))


def baseline(args: EvaluateArgs, opened: Opened) -> Answer:
    """The most popular items of the training part that the user had not met."""
    return most_popular(_on_holdout(args, opened))


def _on_holdout(args: EvaluateArgs, opened: Opened) -> Wanted:
    if opened.train.features.height == 0:
        problem = tr("there is no training part, so nobody knows which items a user had met")
        raise BadInput([Fault(place="data", problem=problem, fix=tr("evaluate on data that is split here"))])
    yes = yes_of(args.label, args.positive, opened.train)
    known = _known(args, opened.train, yes)
    on = wanted(met(opened.holdout, args.roles, yes), known, yes)
    refuse(_nobody("holdout", on))
    return on


def _known(args: TrainArgs | EvaluateArgs, train: Part, yes: Yes) -> Catalogue:
    whole = train.features.schema[ids(args.roles)[1]].is_integer()
    return catalogue(met(train, args.roles, yes), whole=whole)


def _further(model: Model, users: Texts, lists: Lists) -> Lists:
    """The lists of the same model to the depth of the report, where they begin with what it told."""
    fitted = model.estimator
    if not isinstance(fitted, Recommender):
        return lists
    deeper = listed(fitted, users)
    return [d if list(d[:SERVED]) == list(t) else t for d, t in zip(deeper, lists, strict=True)]


def _parsed(told: Sequence[str]) -> Lists:
    found: list[list[str]] = []
    bad: list[str] = []
    for text in told:
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            items = None
        if isinstance(items, list) and all(isinstance(i, str | int | float) for i in items):
            found.append([str(i) for i in items])
        else:
            bad.append(text)
    if bad:
        problem = tr(
            "{n} predictions are no JSON list of item ids, the first is {first!r}", n=len(bad), first=bad[0][:40]
        )
        fault = Fault(place="prediction", problem=problem, fix=tr('answer every row with a list such as ["a", "b"]'))
        raise BadInput([fault], cause="user_code_error")
    return found


def _nobody(part: str, on: Wanted) -> list[Fault]:
    if len(on.judged):
        return []
    problem = tr("none of its {n} users wanted an item that they had not met in training", n=len(on.users))
    return [Fault(place=part, problem=problem, fix=tr("give more interactions, or split at another place"))]


def _metric_faults(measures: Sequence[Measure]) -> list[Fault]:
    """Metrics of classes, which lists do not have."""
    wrong = dict.fromkeys(m.metric for m in measures if m.metric not in JUDGED and not m.metric.startswith(CUSTOM))
    fix = tr("use {families}, or a classifier on rows that are labelled", families=tr(" or ").join(JUDGED))
    return [
        Fault(place=tr("metric {name}", name=name), problem=tr("is not measured on lists of items"), fix=fix)
        for name in wrong
    ]


def shown(args: EvaluateArgs, features: pl.DataFrame) -> pl.DataFrame:
    """The users: the items of the holdout are what is to be found."""
    return features.select(ids(args.roles)[0])


LISTS = Recipe(answers="text", learner=Collaborative, answer=answer, baseline=baseline, shown=shown)

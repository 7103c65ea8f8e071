"""Recommendation from rows that say which class they are (clicked, bought): a classifier of the row's other columns.

Users and items are known by what is joined to them: their ids are sent like any column and not learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from sklearn.pipeline import Pipeline

from tools.language import tr
from tools.recipes.answers.answer import Answer, Floats
from tools.recipes.answers.classes import Classified
from tools.recipes.answers.labelled import Labelled
from tools.recipes.answers.measures import CUSTOM
from tools.recipes.answers.rankings import JUDGED
from tools.recipes.card import Card
from tools.recipes.data.checks import label_numbers
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners import supervised
from tools.recipes.learners.learner import Opened, Recipe, Told
from tools.recipes.learners.recommendation import FAMILIES
from tools.recipes.learners.table import inputs_of
from tools.recipes.models.families import Choice, Params
from tools.recipes.models.interactions import Met, Yes, catalogue, ids, met, yes_of
from tools.recipes.models.without_ids import WithoutIds
from tools.recipes.parts import Part
from tools.recipes.records import Columns, EvaluateArgs, Family, TrainArgs


class Pointwise:
    """Rows with a class, ranked by its probability among the rows of their user. A `Learner`."""

    def __init__(self, args: TrainArgs, train: Part, validation: Part) -> None:
        """BadInput when the family is no classifier, or no column is left to learn from."""
        inputs = inputs_of(train.features, validation.features)
        kept = [i for i, one in enumerate(inputs) if one.name not in (*ids(args.roles), args.roles.time)]
        if not kept:
            problem = tr("holds nothing but users, items and times")
            fix = tr("join a table of items or users, or use item_knn or matrix_factorization")
            raise BadInput([Fault(place="data", problem=problem, fix=fix)])
        text = [k for k, i in enumerate(kept) if inputs[i].kind == "category"]
        front = WithoutIds(kept=kept, text=text, clip="clip_outliers" in args.clean)
        plain = args.model_copy(update={"task": "classification"})
        self._inner = supervised.Supervised(plain, train, validation, inputs=inputs, front=front)
        self.args = self._inner.args.model_copy(update={"task": args.task})
        self.digest, self.rows, self.cells = self._inner.digest, self._inner.rows, self._inner.cells
        self._train, self._validation = train, validation

    def space(self) -> dict[str, Choice]:
        return self._inner.space()

    def fit(self, params: Params, share: float = 1.0) -> Pipeline:
        return self._inner.fit(params, share)

    def outcome(self, fitted: Pipeline) -> Answer:
        return _labelled(self.args, self._inner.outcome(fitted), self._train, self._validation)

    def baseline(self) -> Answer:
        return _labelled(self.args, self._inner.baseline(), self._train, self._validation, by_popularity=True)

    def card(self, params: Params) -> Card:
        return self._inner.card(params).model_copy(update={"task": self.args.task})


def asked_for(family: Family | None, metrics: Sequence[str]) -> bool:
    """Whether a recommendation is one of rows with a class: by its family, else by its metrics."""
    if family is not None:
        return family not in FAMILIES
    return any(name not in JUDGED and not name.startswith(CUSTOM) for name in metrics)


def answer(args: EvaluateArgs, told: Told, opened: Opened) -> Answer:
    """Of a model, on the holdout; without probabilities a user's rows are ranked by the predicted class."""
    if told.model is not None and told.model.metadata.answers != "class":
        problem = tr("ranks items and says no class of a row")
        raise BadInput([Fault(place="model", problem=problem, fix=tr("compare models of the same kind"))])
    plain = args.model_copy(update={"task": "classification"})
    return _labelled(args, supervised.answer(plain, told, opened), opened.train, opened.holdout)


def baseline(args: EvaluateArgs, opened: Opened) -> Answer:
    """The commonest class of the training part; each user's rows ranked by how popular their items were there."""
    plain = args.model_copy(update={"task": "classification"})
    constant = supervised.baseline(plain, opened)
    return _labelled(args, constant, opened.train, opened.holdout, by_popularity=True)


def tripwires(args: EvaluateArgs, opened: Opened) -> Sequence[str]:
    return supervised.tripwires(args.model_copy(update={"task": "classification"}), opened)


def _labelled(
    args: TrainArgs | EvaluateArgs, rows: Answer, train: Part, part: Part, *, by_popularity: bool = False
) -> Labelled:
    """The same rows with their users, those of one user together."""
    assert isinstance(rows, Classified)
    yes = _yes(args, train, part)
    of = met(part, args.roles, yes)
    popular = _popularity(train, args.roles, yes, of) if train.features.height else None
    score = popular if by_popularity and popular is not None else _score(rows)
    # A row without a user is a user of its own.
    names = np.where(of.users == "", np.char.add("\n", np.arange(len(of.users)).astype(np.str_)), of.users)
    user = np.unique(names, return_inverse=True)[1]
    order, ends = np.argsort(user, kind="stable"), np.cumsum(np.bincount(user))
    return Labelled(
        rows=rows.take(order),
        ends=ends,
        relevant=of.yes[order],
        score=score[order],
        members=tuple(np.split(order, ends[:-1])),
        popular=None if popular is None or by_popularity else popular[order],
        evidence=(*rows.columns(), *_evidence(of, score)),
        remarks=(str(yes), tr("ndcg_at_10 and recall_at_10 rank each user's own rows here, not all items")),
    )


def _evidence(of: Met, score: Floats) -> tuple[pl.Series, ...]:
    return (
        pl.Series("user", [str(name) for name in of.users], dtype=pl.String),
        pl.Series("item", [str(name) for name in of.items], dtype=pl.String),
        pl.Series("relevance", of.yes.astype(np.int64)),
        pl.Series("ranked_by", score),
    )


def _yes(args: TrainArgs | EvaluateArgs, train: Part, part: Part) -> Yes:
    if args.positive is not None and len(args.classes) == 2:
        return Yes(label=args.label, name=args.positive)
    return yes_of(args.label, None, train if train.features.height else part)


def _score(rows: Classified) -> Floats:
    """The probability of the positive class; with more classes the expected number they stand for."""
    target = rows.target(None)
    worth = np.arange(len(rows.classes), dtype=np.float64)
    if target is not None:
        worth = (worth == target).astype(np.float64)
    else:
        numbers = label_numbers(pl.Series("classes", rows.classes, dtype=pl.String))
        worth = numbers.to_numpy() if numbers.null_count() == 0 else worth
    if rows.probability is not None:
        return rows.probability @ worth
    return np.append(worth, worth.min())[rows.predicted]


def _popularity(train: Part, roles: Columns, yes: Yes, of: Met) -> Floats:
    """Yeses that each row's item has in training."""
    known = catalogue(met(train, roles, yes), whole=False)
    count = dict(zip(known.items.tolist(), known.counts.tolist(), strict=True))
    return np.array([count.get(str(name), 0) for name in of.items], dtype=np.float64)


ROWS = Recipe(
    answers="class",
    learner=Pointwise,
    answer=answer,
    baseline=baseline,
    tripwires=tripwires,
)

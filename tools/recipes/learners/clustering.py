"""Clustering: rows that lie together, with no label to say so.

Silhouettes are measured in features that are fitted on the training part and are the same for every model.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from tools.language import tr
from tools.recipes.answers.answer import Answer, Floats
from tools.recipes.answers.clusters import clustered
from tools.recipes.card import Card
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners.cluster_features import Ruler, describing, encoded, front, matrix_of
from tools.recipes.learners.learner import Opened, Recipe, Told
from tools.recipes.learners.supervised import shared_rows
from tools.recipes.models import families
from tools.recipes.models.families import Choice, Params
from tools.recipes.models.named import NamedKMeans
from tools.recipes.parts import Part
from tools.recipes.records import EvaluateArgs, Family, TrainArgs

SUITED: tuple[Family, ...] = ("kmeans",)
_CLUSTERS = range(2, 13)
_STARTS = 10


class Clustering:
    """Training and validation rows as features. A `Learner`."""

    def __init__(self, args: TrainArgs, train: Part, validation: Part) -> None:
        """BadInput when the training rows are all the same."""
        families.require_suited(args.family, args.task, SUITED)
        # The numbers of clusters are few: each is tried once, and none twice.
        self.args = args.model_copy(update={"method": "grid"})
        self.digest = train.digest
        self._lowercase = "lowercase" in args.clean
        self._inputs = describing(train.features, train.features, validation.features)
        raw = matrix_of(train, self._inputs, lowercase=self._lowercase)
        self._front = front(raw, self._inputs, clip="clip_outliers" in args.clean)
        self._train = encoded(self._front, raw)
        self._distinct = len(np.unique(self._train, axis=0))
        self._validation = matrix_of(validation, self._inputs, lowercase=self._lowercase)
        self._ruler = Ruler(train.features, train.features, validation.features)
        self._judged = self._ruler.features(validation)
        self._order = np.random.default_rng(args.seed).permutation(len(raw))
        self.rows = len(raw)
        self.cells = int(self._train.size)
        if self._distinct <= _CLUSTERS.start:
            problem = tr("there are {distinct} distinct rows in it", distinct=self._distinct)
            raise BadInput([Fault(place="train", problem=problem, fix=tr("give rows that differ, or other columns"))])

    def space(self) -> dict[str, Choice]:
        most = min(_CLUSTERS.stop, self._distinct)
        counts = tuple(range(_CLUSTERS.start, most))
        return {"n_clusters": Choice(low=counts[0], high=counts[-1], scale="integer", grid=counts)}

    def fit(self, params: Params, share: float = 1.0) -> Pipeline:
        rows = self._train
        if share < 1.0:
            rows = rows[np.sort(self._order[: max(_CLUSTERS.stop, round(share * self.rows))])]
        model = NamedKMeans(n_clusters=int(params["n_clusters"] or 2), n_init=_STARTS, random_state=self.args.seed)
        with warnings.catch_warnings():
            # Fewer distinct rows than clusters: validation says what the trial is worth.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows)
        return Pipeline([*self._front, ("model", model)])

    def outcome(self, fitted: Pipeline) -> Answer:
        return clustered(self._judged, fitted.predict(self._validation), seed=self.args.seed, described={})

    def baseline(self) -> Answer:
        return clustered(self._judged, by_chance(len(self._judged), self.args.seed), seed=self.args.seed, described={})

    def card(self, params: Params) -> Card:
        args = self.args
        return Card(
            task=args.task,
            label=None,
            roles=args.roles,
            answers="text",
            inputs=self._inputs,
            family=args.family,
            params=dict(params),
            lowercase=self._lowercase,
            data_digest=self.digest,
            versions={name: version(name) for name in ("scikit-learn", "skops", "numpy")},
        )


def by_chance(rows: int, seed: int) -> list[str]:
    """Two clusters of equal size at random: of all assignments by chance, more clusters fare worse."""
    order = np.random.default_rng(seed).permutation(rows)
    return [f"cluster-{1 + int(i % 2)}" for i in order]


def answer(args: EvaluateArgs, told: Told, opened: Opened) -> Answer:
    """Distances in features fitted on the training part; without one, on the holdout itself."""
    ruler, features = _ruled(opened)
    assigned = [str(name) for name in told.prediction]
    return clustered(features, assigned, seed=args.seed, described=ruler.described(features, assigned))


def baseline(args: EvaluateArgs, opened: Opened) -> Answer:
    """Clusters by chance."""
    _, features = _ruled(opened)
    return clustered(features, by_chance(len(features), args.seed), seed=args.seed, described={})


def tripwires(args: EvaluateArgs, opened: Opened) -> Sequence[str]:
    """Copies across the split."""
    del args
    shared, rows = shared_rows(opened.train.features, opened.holdout.features), opened.holdout.features.height
    return (
        [
            tr(
                "{shared} of {rows} holdout rows ({share:.1%}) are exactly a training row",
                shared=shared,
                rows=rows,
                share=shared / rows,
            )
        ]
        if shared
        else []
    )


def _ruled(opened: Opened) -> tuple[Ruler, Floats]:
    train, holdout = opened.train.features, opened.holdout.features
    ruler = Ruler(train if train.height else holdout, train, holdout)
    return ruler, ruler.features(opened.holdout)


RECIPE = Recipe(answers="text", learner=Clustering, answer=answer, baseline=baseline, tripwires=tripwires)

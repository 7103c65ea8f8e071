"""Evaluates a frozen model on the sealed holdout, and binds the numbers to what was measured.

Run as `python -I -m tools.recipes.evaluate FOLDER`. The only program that is given the holdout's key. Rows go to
the model as the endpoint would receive them; none is dropped.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tools.digest import digest, digest_of
from tools.recipes import command, judged, model, parts, profile, report
from tools.recipes.checks import class_names, label_numbers
from tools.recipes.faults import BadInput, Fault, refuse
from tools.recipes.intervals import measured
from tools.recipes.metrics_of import Classified, Predicted, Rows, faults_of
from tools.recipes.program import Say, mount, run, secret
from tools.recipes.records import EvaluateArgs, EvaluateResult, Inputs

_OWN = ("evaluate", "command", "confine", "counts", "encode", "intervals", "judged", "metrics_of", "model", "parts")
"""The modules that make the number."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model under test said of the holdout."""

    prediction: list[str] | list[float]
    probability: list[list[float]] | None
    digest: str
    fitted_on: str | None
    """Digest of the training part as the model states it; None when it states nothing."""
    alone: bool = True
    """The labels and the key were hidden from whatever predicted."""


def work(inputs: Inputs, say: Say) -> EvaluateResult:
    """Measure, and write `holdout_rows.csv` and `evaluation.json` into `inputs.out`."""
    args = EvaluateArgs.model_validate(inputs.args)
    folder = mount(inputs, "data")
    train = parts.read_part(folder / parts.TRAIN, args.label)
    say("opening the holdout", 0.1)
    holdout = parts.read_sealed(folder / parts.HOLDOUT, args.label, secret(inputs, "holdout.private"))
    args = _completed(args, train.label, holdout.label)
    refuse(faults_of(args.measures, args.task, args.classes))
    say("predicting", 0.3)
    answer = _ask(args, inputs, holdout)
    rows = _rows(args, holdout, answer)
    say("measuring", 0.6)
    values = measured(args.measures, rows, resamples=args.resamples, seed=args.seed)
    result = EvaluateResult(
        measured=values,
        rows=len(rows.labels),
        digests={"model": answer.digest, "holdout": holdout.digest, "train": train.digest, "evaluator": evaluator()},
        findings=tuple(_findings(args, train, holdout, answer, rows)),
    )
    out = Path(inputs.out)
    judged.write(out / judged.ROWS_FILE, holdout.rows, _shown(holdout.label, args), answer.prediction, rows)
    (out / report.FILE).write_text(report.text(args, result, rows), encoding="utf-8")
    return result


def evaluator() -> str:
    """Digest of the sources of the modules that make the number."""
    here = Path(__file__).parent
    return digest_of((name, here / f"{name}.py") for name in _OWN)


def _completed(args: EvaluateArgs, *labels: pl.Series) -> EvaluateArgs:
    """The arguments with classes and positive class taken from the data where they were left out."""
    if args.task == "regression":
        return args
    classes, positive = profile.completed(args.classes, args.positive, labels)
    return args.model_copy(update={"classes": classes, "positive": positive})


def _ask(args: EvaluateArgs, inputs: Inputs, holdout: parts.Part) -> Answer:
    if args.predict is None:
        return _ask_model(mount(inputs, "model"), holdout)
    if args.folder is None:
        raise BadInput([Fault(place="folder", problem="is not named", fix="say where `predict` is to be started")])
    place = Path(inputs.mounts["model"]) if "model" in inputs.mounts else None
    hide = [*(Path(p) for p in (*args.hide, *inputs.hide, *inputs.secrets.values())), mount(inputs, "data")]
    told, alone = command.predictions(args.predict, Path(args.folder), holdout.features, model=place, hide=hide)
    return Answer(
        prediction=_numbers(told) if args.task == "regression" else _spelled(told, args.classes),
        probability=None,
        digest=_digest(place, args),
        fitted_on=None,
        alone=alone,
    )


def _ask_model(place: Path, holdout: parts.Part) -> Answer:
    loaded = model.load(place)
    absent = [i.name for i in loaded.metadata.inputs if i.name not in holdout.features.columns]
    if absent:
        problem = f"wants columns that the holdout does not have: {', '.join(absent[:8])}"
        raise BadInput([Fault(place="model", problem=problem, fix="evaluate it on the data it was trained on")])
    predicted = loaded.predict_rows(parts.endpoint_columns(holdout.features, loaded.metadata.inputs))
    return Answer(
        prediction=predicted[0],
        probability=predicted[1],
        digest=loaded.digest,
        fitted_on=loaded.metadata.data_digest,
    )


def _digest(place: Path | None, args: EvaluateArgs) -> str:
    return digest(place if place is not None else args.folder or "")


def _numbers(told: pl.Series) -> list[float]:
    numbers = told.str.strip_chars().cast(pl.Float64, strict=False)
    bad = (numbers.is_null() | ~numbers.is_finite()).arg_true()
    if bad.len():
        problem = f"{bad.len()} predictions are no finite numbers, the first is {told[int(bad[0])][:40]!r}"
        fault = Fault(place="predict command", problem=problem, fix="write a number for every row")
        raise BadInput([fault], cause="user_code_error")
    return [float(n) for n in numbers]


def _spelled(told: pl.Series, classes: tuple[str, ...]) -> list[str]:
    """Predictions as the source spells its classes: `1` and `1.0`, `True` and `true` are the same one."""
    known = {_key(name): name for name in classes} | {name: name for name in classes}
    return [known.get(value, known.get(_key(value), value)) for value in told]


def _key(name: str) -> str:
    try:
        return repr(float(name))
    except ValueError:
        return name.strip().casefold()


def _rows(args: EvaluateArgs, holdout: parts.Holdout, answer: Answer) -> Rows:
    if args.task == "regression":
        return Predicted(labels=label_numbers(holdout.label).to_numpy(), predicted=np.array(answer.prediction, float))
    place = {name: i for i, name in enumerate(args.classes)}
    names = [str(n) for n in class_names(holdout.label)]
    if strangers := sorted(set(names) - set(place)):
        problem = f"holds {', '.join(repr(s) for s in strangers[:5])}, which is none of the classes"
        raise BadInput([Fault(place=f"label {args.label!r}", problem=problem, fix="name the classes of the data")])
    return Classified(
        labels=np.array([place[n] for n in names], dtype=np.int64),
        predicted=np.array([place.get(str(p), len(place)) for p in answer.prediction], dtype=np.int64),
        probability=None if answer.probability is None else np.array(answer.probability),
        classes=args.classes,
        positive=args.positive,
    )


def _shown(label: pl.Series, args: EvaluateArgs) -> pl.Series:
    return class_names(label) if args.task == "classification" else label


def _findings(args: EvaluateArgs, train: parts.Part, holdout: parts.Holdout, answer: Answer, rows: Rows) -> list[str]:
    found = []
    if shared := shared_rows(train.features, holdout.features):
        share = f"{shared} of {len(rows.labels)} holdout rows ({shared / len(rows.labels):.1%})"
        found.append(f"{share} have exactly the features of a training row")
    for name in profile.leaks(train.features, train.label, args.task):
        found.append(f"column {name!r} gives the label away by itself: suspected leakage")
    if answer.fitted_on not in (None, train.digest):
        found.append("the model was fitted on other rows than this training part: it is not the one that was trained")
    if not answer.alone:
        found.append("the `predict` command could have looked for labels and key: nothing here can hide them from it")
    if isinstance(rows, Classified) and (strange := int((rows.predicted == len(rows.classes)).sum())):
        found.append(f"{strange} predictions are no class of the data; each counts as wrong")
    if isinstance(rows, Classified) and bool((rows.labels == rows.predicted).all()):
        found.append("no row is wrong: a bootstrap interval cannot be wider than the point here")
    return found


def shared_rows(train: pl.DataFrame, holdout: pl.DataFrame) -> int:
    """Holdout rows whose features are exactly those of a training row; missing values equal missing values."""
    return holdout.join(train, on=holdout.columns, how="semi", nulls_equal=True).height


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())

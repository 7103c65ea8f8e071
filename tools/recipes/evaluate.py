"""Evaluates a frozen model on the sealed holdout, and binds the numbers to what was measured.

Run as `python -I -m tools.recipes.evaluate FOLDER`. The only program that is given the holdout's key. Rows go to
the model as the endpoint would receive them; none is dropped. Training and validation part may be empty or absent:
a model that exists already, on a table of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes import parts
from tools.recipes.answers import judged, report
from tools.recipes.answers.answer import Answer
from tools.recipes.answers.comparing import paired
from tools.recipes.answers.formulated import formulated
from tools.recipes.answers.intervals import measured
from tools.recipes.answers.measures import CUSTOM, faults_of
from tools.recipes.asking import Asked, ask_command, ask_foreign, ask_model
from tools.recipes.data import profile, seen
from tools.recipes.data.checks import class_names
from tools.recipes.faults import BadInput, Fault, refuse
from tools.recipes.learners.learner import Opened, Recipe
from tools.recipes.learners.recipes import recipe
from tools.recipes.models import model
from tools.recipes.models.foreign import is_foreign
from tools.recipes.program import Say, mount, run, secret
from tools.recipes.records import SEEN, UNDER_TEST, Against, Compared, EvaluateArgs, EvaluateResult, Inputs, Measure
from tools.recipes.sources import digest_of_program

PROGRAM = "tools.recipes.evaluate"
"""This module, also where it is started as `__main__`."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One model's answers, and its rows as the evidence shows them."""

    asked: Asked
    answer: Answer
    rows: pl.DataFrame


def work(inputs: Inputs, say: Say) -> EvaluateResult:
    """Measure, and write `holdout_rows.csv` and `evaluation.json` into `inputs.out`."""
    args = EvaluateArgs.model_validate(inputs.args)
    under_test = _under_test(args, inputs)
    family = None if under_test is None else under_test.metadata.family
    how = recipe(args.task, family, [m.metric for m in args.measures])
    say(tr("opening the holdout"), 0.1)
    opened = _opened(inputs, args)
    args = _completed(args, how, opened, under_test)
    refuse(faults_of(args.measures, args.task, args.classes, args.formulas))
    say("predicting", 0.3)
    asked = _users(args, how, inputs, opened) if under_test is None else _model(args, opened, under_test)
    mine = _judged(args, how, opened, asked)
    say("measuring", 0.6)
    values = measured(args.measures, mine.answer, resamples=args.resamples, seed=args.seed)
    say("comparing", 0.8)
    against = _Others(args, how, inputs, opened)
    compared = tuple(against.compared(mine.answer))
    known = seen_rows(args, inputs, opened.holdout.features)
    result = EvaluateResult(
        seen_rows={name: rows for name, rows in known.items() if rows is not None},
        confined=asked.alone,
        measured=values,
        compared=compared,
        rows=opened.holdout.features.height,
        digests={**_digests(opened, asked), **against.digests},
        findings=(*_findings(args, how, opened, mine), *against.findings, *_findings_of_seen(known, opened)),
    )
    out = Path(inputs.out)
    judged.write(out / judged.ROWS_FILE, mine.rows)
    (out / report.FILE).write_text(report.text(args, result, mine.answer), encoding="utf-8")
    return result


def evaluator() -> str:
    """Digest of the sources of all modules that this program depends on: they make the number."""
    return digest_of_program(PROGRAM)


def seen_rows(args: EvaluateArgs, inputs: Inputs, features: pl.DataFrame) -> dict[str, int | None]:
    """Of every model that existed before, how many rows of the holdout it was trained on; None: nobody knows."""
    kept = {name: inputs.mounts.get(name + SEEN) for name in args.existing}
    return {name: None if place is None else seen.count(features, Path(place)) for name, place in kept.items()}


def _findings_of_seen(known: Mapping[str, int | None], opened: Opened) -> Iterator[str]:
    n = opened.holdout.features.height
    for name, rows in known.items():
        called = tr("the model") if name == UNDER_TEST else name
        if rows is None:
            yield tr("{model}: it is not known whether the model has seen these rows", model=called)
        elif rows:
            yield tr("{model}: it was trained on {rows} of these {n} rows", model=called, rows=rows, n=n)


class _Others:
    """The models that the one under test is compared with, asked about the same rows."""

    def __init__(self, args: EvaluateArgs, how: Recipe, inputs: Inputs, opened: Opened) -> None:
        self._args, self._how, self._inputs, self._opened = args, how, inputs, opened
        self.digests: dict[str, str] = {}
        self.findings: list[str] = []

    def compared(self, mine: Answer) -> Iterator[Compared]:
        args = self._args
        for against in args.against:
            other = self._baseline(against) if against.to == "baseline" else self._asked(against).answer
            for measure in args.measures:
                if other is None or (against.to == "baseline" and measure.metric.startswith(CUSTOM)):
                    yield _incomparable(measure, mine, against)
                else:
                    yield paired(measure, mine, other, against=against, resamples=args.resamples, seed=args.seed)

    def _baseline(self, against: Against) -> Answer | None:
        if self._opened.train.features.height == 0:
            self.findings.append(
                tr("there is no training part to make the {name} from: nothing to compare with", name=tr(against.name))
            )
            return None
        return self._how.baseline(self._args, self._opened)

    def _asked(self, against: Against) -> Judged:
        loaded = model.load(mount(self._inputs, against.name))
        if loaded.metadata.task != self._args.task:
            own, task = tr(loaded.metadata.task), tr(self._args.task)
            problem = tr("is a model for {own}, not for {task}", own=own, task=task)
            raise BadInput(
                [Fault(place=against.name, problem=problem, fix=tr("compare with a model of the same task"))]
            )
        asked = ask_model(loaded, self._opened.holdout, self._args.classes, place=against.name)
        self.digests[f"against {against.name}"] = asked.digest
        train = self._opened.train
        if train.features.height and asked.fitted_on != train.digest:
            note = tr("was fitted on other rows than this training part: it may have seen rows of this holdout")
            self.findings.append(f"{against.name} {note}")
        return _judged(self._args, self._how, self._opened, asked)


def _incomparable(measure: Measure, mine: Answer, against: Against) -> Compared:
    """There is no other model, or, for a formula, none that says something of every row."""
    return Compared(
        metric=measure.metric,
        of=measure.of,
        to=against.to,
        name=against.name,
        value=mine.value(measure),
        other=None,
        difference=None,
    )


def _opened(inputs: Inputs, args: EvaluateArgs) -> Opened:
    folder = mount(inputs, "data")
    holdout = parts.read_sealed(folder / parts.HOLDOUT, args.label, secret(inputs, "holdout.private"))
    train, validation = (_part(folder / name, args, holdout) for name in (parts.TRAIN, parts.VALIDATION))
    return Opened(train=train, validation=validation, holdout=holdout)


def _part(path: Path, args: EvaluateArgs, holdout: parts.Holdout) -> parts.Part:
    """An open part; one without rows where none was made."""
    if path.is_file():
        return parts.read_part(path, args.label)
    columns = holdout.features if args.label is None else holdout.features.with_columns(holdout.label)
    return parts.Part(columns.clear(), args.label, "")


def _completed(args: EvaluateArgs, how: Recipe, opened: Opened, under_test: model.Model | None) -> EvaluateArgs:
    """The arguments with classes and positive class as the model or the data have them, where they were left out."""
    if how.answers != "class":
        return args
    known = () if under_test is None else under_test.metadata.classes
    _require_known(known, opened.holdout)
    positive = args.positive or (None if under_test is None else under_test.metadata.positive)
    labels = [part.label for part in (opened.train, opened.holdout) if part.features.height]
    found, likely = profile.completed(args.classes, positive, labels)
    # A table of its own may lack a class that the model knows, and have one that it does not.
    classes = found if set(known) <= set(found) else (*known, *(c for c in found if c not in known))
    return args.model_copy(update={"classes": classes, "positive": likely if likely in classes else None})


def _require_known(known: Sequence[str], holdout: parts.Holdout) -> None:
    """BadInput when no label is a class of the model: they are spelled in another way, and nothing would be right."""
    held = set(class_names(holdout.label).drop_nulls())
    if known and held and not held & set(known):
        own, theirs = (", ".join(map(repr, sorted(names)[:_SHOWN])) for names in (held, known))
        problem = tr("has the classes {own}, and the model knows {theirs}", own=own, theirs=theirs)
        raise BadInput([Fault(place="label", problem=problem, fix=tr("spell the classes in the same way in both"))])


def _under_test(args: EvaluateArgs, inputs: Inputs) -> model.Model | None:
    """Our own model; None where the user's own is asked."""
    if args.predict is not None or is_foreign(mount(inputs, "model")):
        return None
    return model.load(mount(inputs, "model"))


def _model(args: EvaluateArgs, opened: Opened, under_test: model.Model) -> Asked:
    if under_test.metadata.task != args.task:
        own, task = tr(under_test.metadata.task), tr(args.task)
        problem = tr("is a model for {own}, not for {task}", own=own, task=task)
        raise BadInput([Fault(place="model", problem=problem, fix=tr("evaluate it on the task it was trained for"))])
    return ask_model(under_test, opened.holdout, args.classes)


def _users(args: EvaluateArgs, how: Recipe, inputs: Inputs, opened: Opened) -> Asked:
    if args.predict is None:
        return ask_foreign(mount(inputs, "model"), how.answers, opened.holdout, args.classes)
    place = Path(inputs.mounts["model"]) if "model" in inputs.mounts else None
    hide = [*(Path(p) for p in (*args.hide, *inputs.hide, *inputs.secrets.values())), mount(inputs, "data")]
    return ask_command(args, how.answers, how.shown(args, opened.holdout.features), model=place, hide=hide)


def _judged(args: EvaluateArgs, how: Recipe, opened: Opened, asked: Asked) -> Judged:
    bare = how.answer(args, asked.told, opened)
    label = None if args.label is None else opened.holdout.label
    if label is not None and how.answers == "class":
        label = class_names(label)
    rows = judged.table(opened.holdout.rows, label, asked.told.prediction, bare.columns())
    answer = formulated(
        bare,
        args.formulas,
        args.measures,
        features=judged.beside(opened.holdout.features, opened.holdout.rows, rows),
        label=None if label is None else rows["label"],
        prediction=rows["prediction"],
    )
    return Judged(asked=asked, answer=answer, rows=rows)


def _digests(opened: Opened, asked: Asked) -> Mapping[str, str]:
    found = {"model": asked.digest, "holdout": opened.holdout.digest, "train": opened.train.digest}
    return {**found, "evaluator": evaluator()}


def _findings(args: EvaluateArgs, how: Recipe, opened: Opened, mine: Judged) -> Iterator[str]:
    if opened.train.features.height:
        yield from how.tripwires(args, opened)
        if mine.asked.fitted_on not in (None, opened.train.digest):
            yield tr("the model was fitted on other rows than this training part: it is not the one that was trained")
    if not mine.asked.alone:
        yield tr("the `predict` command could have looked for labels and key: nothing here can hide them from it")
    yield from mine.answer.notes()


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())

"""What of a part's data, and of how it is to be parted, the preparation here can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from agent import learning
from agent.brain.rules.planning.training import format_of
from agent.contract import Data, Part
from agent.learning import task_of
from tools.language import tr
from tools.recipes.records import Format


def data(part: Part) -> Iterator[str]:
    """Why the part's data sets cannot be used together for what it asks."""
    if part.task == "estimate" or not (learning.opens_holdout(part) or part.task == "prepare"):
        return
    if not part.data:
        yield tr("no data is named")
        return
    yield from (why for one in part.data for why in _format(one, part))
    yield from _roles(part)
    yield from _left_out(part)
    for word, said in _meanings(part):
        if len(said) > 1:
            columns = tr(" and ").join(sorted(said))
            yield tr("{columns} are both called the {word}: name one", columns=columns, word=tr(word))


def _format(one: Data, part: Part) -> Iterator[str]:
    images = task_of(part) == "image-classification"
    wanted = format_of(one, task_of(part))
    if wanted not in get_args(Format):
        instead = tr(_INSTEAD.get(wanted, "give csv, parquet or jsonl"))
        yield tr("nothing here reads {wanted} data: {instead}", wanted=wanted, instead=instead)
    elif wanted == "images" and not images:
        yield tr("{uri} holds images, and {task} reads tables", uri=one.uri, task=tr(task_of(part)))


_INSTEAD = {
    "text": "give one text a row, as csv or jsonl",
    "hub": "download the set and name its file",
}


def _roles(part: Part) -> Iterator[str]:
    roles = [d.role for d in part.data]
    if roles.count("holdout") > 1:
        yield tr("one data set is the holdout, whole: name one")
    if learning.learns(part) and not {"train", "interactions", "unlabelled"} & set(roles):
        yield tr("{data} alone gives nothing to train on", data=", ".join(d.uri for d in part.data))
    for one in part.data:
        if one.role == "unlabelled" and task_of(part) != "clustering":
            yield tr("{uri}: rows without a label have no use for {task}", uri=one.uri, task=tr(task_of(part)))
        elif one.role == "interactions" and task_of(part) != "recommendation" and part.task != "prepare":
            yield tr("{uri} as interactions data has no use for {task}", uri=one.uri, task=tr(task_of(part)))


def _left_out(part: Part) -> Iterator[str]:
    """Tables that nothing brings to the rows."""
    main = learning.main_table(part)
    joins = part.prepare.join if part.prepare is not None else ()
    assert main is not None
    reached, before = {main.uri}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {n for j in joins if {j.left, j.right} & reached for n in (j.left, j.right)}
    for one in part.data:
        if one.uri in reached or (one.role == "holdout" and part.task not in learning.EXISTING):
            continue
        alone = ""
        if part.task in learning.EXISTING:
            alone = tr("an existing model is measured on one table, {main}: ", main=main.uri)
        yield alone + tr(
            "{uri} ({role}) would be left out: say on which columns it is joined", uri=one.uri, role=one.role
        )


def _meanings(part: Part) -> list[tuple[str, set[str]]]:
    return [
        ("label", {d.label for d in part.data if d.label}),
        ("time", {d.time for d in part.data if d.time}),
        ("group", {d.id for d in part.data if d.id}),
    ]


def split(part: Part) -> Iterator[str]:
    wanted = part.split
    if wanted is None or not (learning.opens_holdout(part) or part.task == "prepare"):
        return
    own = next((d.uri for d in part.data if d.role == "holdout"), None)
    if part.task in learning.EXISTING:
        yield tr("an existing model is measured on every row that is named: leave the split out")
    elif own is not None and (wanted.holdout is not None or wanted.at is not None):
        yield tr("{own} is the holdout, whole: leave the split's share or date out", own=own)
    if task_of(part) == "forecasting" and wanted.by != "time":
        yield tr("a forecast is measured on what comes later: a {by} split would show it the future", by=wanted.by)
    if task_of(part) == "clustering" and wanted.by == "stratified":
        yield tr("without a label nothing can be stratified: say random")
    if wanted.by == "group" and wanted.column is None and not any(d.id for d in part.data):
        yield tr("a split by group needs the column that says the group")

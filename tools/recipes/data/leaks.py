"""What one part would know of another: copies, groups, instants on both sides, columns from later, telling ids.

Certain leaks are faults; suspected ones are findings. Relations between features and the label are asked of training
rows only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.data import checks, profile
from tools.recipes.data.parting import Sets, Way, codes, times
from tools.recipes.data.roles import Found
from tools.recipes.faults import Fault
from tools.recipes.records import PrepareArgs

_ENOUGH = 50
"""Rows from which the order of an identifier can say anything of the label."""
_TELLS = 0.15
"""Distance of the area under the curve from one half, at which an identifier tells the label."""
_CERTAIN = 5.0
"""Standard errors that this distance must be as well."""
_LATER = 0.01
"""Share of rows whose other instant is later than the row's own time."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the parts are judged by."""

    sets: Sets
    """With every column of the source."""
    args: PrepareArgs
    label: str | None
    roles: Found
    chosen: Way
    own: bool
    """The holdout is a table of its own."""
    copies: tuple[str, ...]
    origins: Mapping[str, str]
    """Column → the table it came from."""

    @property
    def features(self) -> list[str]:
        names = self.sets.train.columns[:-1]
        return [n for n in names if n != self.label and n not in self.args.drop_columns]


def faults(seen: Seen) -> list[Fault]:
    """Leaks that are certain."""
    if seen.sets.train.height == 0 or seen.sets.holdout.height == 0:
        return []
    return [*_own_time(seen), *_divided(seen), *_at_and_own(seen), *_strangers(seen)]


def series_faults(frame: pl.DataFrame, roles: Found) -> list[Fault]:
    """Rows of a forecast without a time, and two rows for one instant of one series."""
    if roles.time is None or frame.height == 0:
        return []
    found = []
    if lacking := int((~checks.given(frame[roles.time])).sum()):
        problem = tr("is missing in {lacking} of {height} rows", lacking=lacking, height=frame.height)
        found.append(
            Fault(
                place=tr("time {time!r}", time=roles.time), problem=problem, fix=tr("fill it in, or remove these rows")
            )
        )
    keys = [roles.time, *([roles.group] if roles.group is not None else [])]
    twice = frame.drop_nulls(roles.time).group_by(keys, maintain_order=True).len().filter(pl.col("len") > 1)
    if twice.height:
        where = ", ".join(f"{k} {str(v)[:40]!r}" for k, v in zip(keys, twice.row(0), strict=False))
        problem = tr("{height} instants have several rows, the first at {where}", height=twice.height, where=where)
        fix = tr("say which column names the series") if roles.group is None else tr("aggregate them to one row")
        found.append(Fault(place=tr("time {time!r}", time=roles.time), problem=problem, fix=fix))
    return found


def findings(seen: Seen) -> list[str]:
    """Leaks that are suspected."""
    if seen.sets.train.height == 0:
        return []
    found = [*_copies(seen), *_groups(seen), *_overlap(seen), *_later(seen)]
    if seen.label is not None and seen.args.task in checks.CLASSES | checks.NUMBERS:
        train = seen.sets.train
        alone = [n for n in seen.features if n not in seen.copies]
        held = seen.sets.holdout if seen.sets.holdout.height else None
        for name in profile.leaks(train.select(alone), train[seen.label], seen.args.task, judged_on=held):
            found.append(tr("column {name!r} gives the label away by itself: suspected leakage", name=name))
        found += _telling(seen)
    if seen.label is not None and seen.args.task in checks.CLASSES:
        rows = profile.contradictions(seen.sets.train.select(seen.features), seen.sets.train[seen.label])
        found += [
            tr("{rows} training rows have exactly the features of another one and a different class", rows=rows)
        ] * (rows > 0)
    return found


def _own_time(seen: Seen) -> Iterator[Fault]:
    """A holdout table that begins before the other rows end, where the goal asks for a split by time."""
    if not seen.own or seen.roles.time is None or (seen.chosen.by != "time" and seen.args.task != "forecasting"):
        return
    before, after = _ends(seen)
    if after < before:
        rows = int((times(seen.sets.holdout[seen.roles.time]) < before).sum())
        problem = tr(
            "begins before training ends: {rows} of its {height} rows are earlier",
            rows=rows,
            height=seen.sets.holdout.height,
        )
        fix = tr(
            "leave the rows of training out that are later than the first of the holdout, by {time!r}",
            time=seen.roles.time,
        )
        yield Fault(place="holdout", problem=problem, fix=fix)


def _divided(seen: Seen) -> Iterator[Fault]:
    """Groups on both sides where the goal says that a group must not be divided; copies of one label on both sides."""
    asked = seen.args.split.column if seen.args.split.by == "group" else None
    for columns, what in (((asked,) if asked else (), "groups"), (seen.copies, "labels")):
        shared = _shared(seen, tuple(c for c in columns if c is not None))
        if not shared:
            continue
        named = ", ".join(map(repr, columns))
        if what == "groups":
            problem = tr(
                "{shared} of its rows belong to groups of {named} that training has as well", shared=shared, named=named
            )
            fix = tr("remove them on one side, or let the split be made here")
        else:
            problem = tr(
                "{shared} of its rows have a label that training rows with the same {named} have as well",
                shared=shared,
                named=named,
            )
            fix = tr("split by group, by {named}", named=named)
        yield Fault(place="holdout", problem=problem, fix=fix)


def _at_and_own(seen: Seen) -> Iterator[Fault]:
    at = checks.instant(seen.args.split.at) if seen.args.split.at else None
    if not seen.own or at is None or seen.roles.time is None or seen.args.split.by != "time":
        return
    rest = pl.concat([seen.sets.train, seen.sets.validation])
    if late := int((times(rest[seen.roles.time]) >= at).sum()):
        problem = tr("{late} rows are not before {at}, where the holdout begins", late=late, at=seen.args.split.at)
        yield Fault(place="train", problem=problem, fix=tr("remove them, or let the split be made here"))


def _strangers(seen: Seen) -> Iterator[Fault]:
    """A holdout of its own that shares no class with the other rows: it spells them in another way."""
    if not seen.own or seen.label is None or seen.args.task not in checks.CLASSES:
        return
    learnt, held = (
        set(checks.class_names(part[seen.label]).drop_nulls()) for part in (seen.sets.train, seen.sets.holdout)
    )
    if not learnt & held:
        told = [", ".join(map(repr, sorted(names)[:_SHOWN])) for names in (held, learnt)]
        problem = tr("has the classes {own}, and training has {theirs}", own=told[0], theirs=told[1])
        yield Fault(place="holdout", problem=problem, fix=tr("spell the classes in the same way in both"))


def _copies(seen: Seen) -> Iterator[str]:
    """Holdout rows with exactly the features of a training row, once identifiers are left out."""
    if seen.args.task in ("forecasting", "recommendation") or seen.sets.holdout.height == 0:
        return
    named = profile.identifiers(seen.sets.train.select(seen.features))
    columns = [n for n in seen.features if n not in named]
    if not columns:
        return
    holdout, train = seen.sets.holdout.select(columns), seen.sets.train.select(columns)
    if shared := holdout.join(train, on=columns, how="semi", nulls_equal=True).height:
        without = tr(" once {names} is left out", names=", ".join(map(repr, named[:_SHOWN]))) if named else ""
        yield copies(shared, holdout.height, without)


def copies(shared: int, rows: int, without: str = "") -> str:
    """The sentence on holdout rows that training knows; said in the same words by whoever finds them."""
    share = tr("{shared} of {height} holdout rows ({share:.1%})", shared=shared, height=rows, share=shared / rows)
    return tr(
        "a duplicate across the split: {share} have exactly the features of a training row{without}",
        share=share,
        without=without,
    )


def _groups(seen: Seen) -> Iterator[str]:
    group = seen.roles.group
    if group is None or seen.args.task in ("forecasting", "recommendation"):
        return
    if shared := _shared(seen, (group,)):
        share = tr("{shared} of {height} holdout rows", shared=shared, height=seen.sets.holdout.height)
        yield tr(
            "groups on both sides of the split: {share} belong to a {group!r} that training has as well",
            share=share,
            group=group,
        )


def _shared(seen: Seen, columns: tuple[str, ...]) -> int:
    if not columns or not set(columns) <= set(seen.sets.train.columns):
        return 0
    known = pl.concat([seen.sets.train.select(columns), seen.sets.validation.select(columns)]).drop_nulls()
    return seen.sets.holdout.select(columns).join(known, on=list(columns), how="semi").height


def _overlap(seen: Seen) -> Iterator[str]:
    """A holdout table that begins before the other rows end, where nobody asked for a split by time."""
    if not seen.own or seen.roles.time is None or seen.chosen.by == "time" or seen.sets.holdout.height == 0:
        return
    before, after = _ends(seen)
    if after < before:
        yield tr(
            "the holdout begins before training ends, by {time!r}: what is later may tell what is earlier",
            time=seen.roles.time,
        )


def _ends(seen: Seen) -> tuple[float, float]:
    """The last instant of the rows to learn from, and the first of the holdout; infinite where there is none."""
    name = seen.roles.time or ""
    learnt = np.concatenate([times(seen.sets.train[name]), times(seen.sets.validation[name])])
    held = times(seen.sets.holdout[name])
    learnt, held = learnt[np.isfinite(learnt)], held[np.isfinite(held)]
    return (float(learnt.max()) if len(learnt) else -np.inf), (float(held.min()) if len(held) else np.inf)


def _later(seen: Seen) -> Iterator[str]:
    """Columns with instants that nobody knew at the row's own time."""
    time, train = seen.roles.time, seen.sets.train
    if time is None or not train.schema[time].is_temporal():
        return
    own = times(train[time])
    cut = _ends(seen)[1] if seen.chosen.by == "time" else np.inf
    for name in (n for n in seen.features if n != time and train.schema[n].is_temporal()):
        other = times(train[name])
        later, known = int((other > own).sum()), int(np.isfinite(other).sum())
        base = seen.origins.get(time)
        source = tr(" of {of}", of=seen.origins[name]) if seen.origins.get(name, base) != base else ""
        told = tr(
            "column {name!r}{source} holds instants later than the row's own {time!r}",
            name=name,
            source=source,
            time=time,
        )
        if later and later >= _LATER * known:
            yield tr(
                "{told} in {later} of {known} training rows: what was not known then is suspected leakage",
                told=told,
                later=later,
                known=known,
            )
        elif after := int((other >= cut).sum()):
            yield tr(
                "column {name!r}{source} holds instants of the holdout's time in {after} training rows",
                name=name,
                source=source,
                after=after,
            )


def _telling(seen: Seen) -> Iterator[str]:
    """Identifiers whose order goes with the label: rows that were sorted or collected by it."""
    train = seen.sets.train
    for name in profile.identifiers(train.select(seen.features)):
        strength = _strength(train[name], train[seen.label or ""], seen)
        if strength is not None:
            yield tr(
                "identifier {name!r} predicts the label ({strength}): rows are sorted by it, or ids were given by it",
                name=name,
                strength=strength,
            )


def _strength(column: pl.Series, label: pl.Series, seen: Seen) -> str | None:
    numbers = column.cast(pl.String).str.extract(r"(\d{1,15})\D*$").cast(pl.Int64, strict=False)
    ordered = numbers if numbers.null_count() == column.null_count() else column
    numeric = seen.args.task in checks.NUMBERS
    table = pl.DataFrame({"x": ordered, "y": checks.label_numbers(label) if numeric else checks.class_names(label)})
    table = table.drop_nulls()
    if table.height < _ENOUGH:
        return None
    ranks = table["x"].rank("average").to_numpy()
    if numeric:
        r = float(np.corrcoef(ranks, table["y"].rank("average").to_numpy())[0, 1])
        return (
            tr("rank correlation {r:.2f}", r=r)
            if abs(r) >= 2 * _TELLS and abs(r) * table.height**0.5 > _CERTAIN
            else None
        )
    found = codes(table, ["y"])
    best = max((_area(ranks, found == y) for y in range(int(found.max()) + 1)), key=lambda area: abs(area - 0.5))
    return tr("area under the curve {best:.2f}", best=best) if abs(best - 0.5) >= _TELLS else None


def _area(ranks: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    """Mann-Whitney's area, or one half where chance alone explains it."""
    n, m = int(chosen.sum()), int((~chosen).sum())
    if not n or not m:
        return 0.5
    area = (float(ranks[chosen].sum()) - n * (n + 1) / 2) / (n * m)
    error = ((n + m + 1) / (12 * n * m)) ** 0.5
    return area if abs(area - 0.5) > _CERTAIN * error else 0.5

"""Everything that a person can ask of a run, as typed facts: each value formatted by code from the record, with the
number of the journal line that it stands on.

There is at least one fact of every topic, so that "nothing was refused" is an answer as well. Pure. Texts are in the
language that is spoken now: that of the question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from agent.about import course, left, money, people, results, stated, work
from agent.about.told import LONGEST, Row, Told, Written
from agent.brain.protocol import Fact
from agent.documents import RunReport
from agent.state import Run
from tools.inert import line_of
from tools.ports import Progress

MOST = 200
"""Facts of one run; of a topic that has many, the last ones are told."""
OF_ONE = 40

_SECTIONS: Sequence[Callable[[Told], Iterator[Row]]] = (
    work.now,
    work.steps,
    people.asked,
    people.refused,
    people.answers,
    people.policies,
    money.cost,
    money.brain,
    results.clauses,
    results.figures,
    results.models,
    results.holdout,
    course.plan,
    course.revisions,
    course.diagnoses,
    stated.goal,
    stated.contract,
    stated.assumptions,
    left.kept,
    left.time,
)


def facts(
    run: Run,
    *,
    report: RunReport,
    journal: tuple[Written, ...],
    now: float,
    progress: Mapping[str, Progress | None] | None = None,
) -> tuple[Fact, ...]:
    """What is known of the run. `report` is the run's as it stands now, or as it ended."""
    told = Told(run=run, report=report, journal=journal, now=max(now, run.last), progress=progress or {})
    rows = chain.from_iterable(list(section(told))[-OF_ONE:] for section in _SECTIONS)
    return tuple(_fact(f"f{n}", row) for n, row in enumerate(list(rows)[:MOST], start=1))


def _fact(id_: str, row: Row) -> Fact:
    return Fact(
        id=id_,
        topic=row.topic,
        says=line_of(row.says, limit=LONGEST),
        value=line_of(row.value, limit=LONGEST),
        seq=row.seq,
        outside=row.outside,
    )

"""What the text of a goal vouches for: its figures in every unit they can be read in, its names, its known words.

The readings are the embedded grammar's own, so that `half a percent`, `九成` and `$12` count for what they mean there,
and what is cited, taken back or ruled out counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Final, Literal

from agent.brain.llm.understanding import naming, topics
from agent.brain.rules.grammar.calendar import date_figures
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.measures import mentions, value_for
from agent.brain.rules.grammar.paraphrases import paraphrased
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.ruled_out import ruled_out
from agent.brain.rules.grammar.scan import normalise
from agent.brain.rules.grammar.understand import read
from tools.metrics import metric

Amount = Literal[
    "usd", "seconds", "share", "steps", "replica", "trial", "gpu", "cpu", "memory", "threshold", "delta"
]  # fmt: skip
"""What a number is a number of. `threshold` and `delta` are of a metric."""
Name = Literal[
    "name", "column", "dropped", "class", "address", "artefact", "command", "formula", "model", "gpu", "metric", "date",
    "namespace", "place", "machine",
]  # fmt: skip
"""What a name is the name of."""
_PROGRAMS: Final = ("command", "program", "image", "artefact")
_BESIDE: Final = r"A-Za-z0-9_"
_TYPED: Final = re.compile(r"^[A-Za-z][\w.-]*\d[\w.-]*$")
"""A product's name: letters and figures."""
_CHECKPOINT: Final = re.compile(r"^(?=.*[\d_-])[A-Za-z][\w.-]{2,}\w$")
_FORBIDDEN: Final[frozenset[Name]] = frozenset(
    {"name", "column", "address", "artefact", "command", "model", "gpu", "namespace", "place", "machine"}
)
"""Names that vouch for nothing where the text only rules them out."""


class Words:
    """Some messages, and what they vouch for."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = tuple(messages)

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(read(text) for text in self.messages)

    @cached_property
    def figures(self) -> tuple[Entity, ...]:
        """Everything that counts or measures, in order: times of day and dates do not."""
        return tuple(reading[n] for reading, n in self._figured)

    @cached_property
    def _figured(self) -> tuple[tuple[Reading, int], ...]:
        return tuple((r, n) for r in self.readings for n, e in enumerate(r.entities) if _is_figure(e))

    @cached_property
    def _topics(self) -> tuple[frozenset[topics.Topic], ...]:
        return tuple(topics.topics(reading, n) for reading, n in self._figured)

    def about(self, figure: int, topic: topics.Topic, name: str = "") -> bool:
        """Whether the words nearest to a figure speak of that topic; `name`: the metric that must be spoken of."""
        if topic == "metric" and not self._topics[figure] and _is_ratio(self.figures[figure]):
            return True  # `we had 0.85 in May`: what else is written so
        if topic not in self._topics[figure]:
            return False
        return topic != "metric" or self._measures(figure, name)

    def may_bound(self, figure: int, name: str) -> bool:
        """Whether a figure with a unit may bound that metric: one in its clause, or one that is about nothing else."""
        known = metric(name)
        alone = not self._topics[figure] and known is not None and known.unit != "label"
        return alone or self._measures(figure, name)

    def _measures(self, figure: int, name: str) -> bool:
        reading, at = self._figured[figure]
        own = name.removeprefix("custom:").replace("_", " ")
        return any(
            name in self._measured[id(reading)].get(n, ())
            or reading[n].means("threshold")
            or (own != name and reading[n].text.casefold() in (own, own.replace(" ", "_")))
            for n in topics.scope(reading, at)
        )

    def is_bare(self, figure: int) -> bool:
        return not self.figures[figure].dim and "every" not in self.figures[figure].readings

    def counts_other(self, figure: int) -> bool:
        """Whether a figure is the number of a ticket, of people, or of another thing that no field is about."""
        return self._topics[figure] == {"other"}

    def takes_back(self, name: str) -> bool:
        """Whether the demand on that metric is taken back."""
        return any(
            topics.takes_back(r, n)
            for r in self.readings
            for n, names in self._measured[id(r)].items()
            if name in names
        )

    @cached_property
    def _measured(self) -> dict[int, dict[int, frozenset[str]]]:
        """Reading → place → the metrics that are spoken of there."""
        return {id(r): _measured(r) for r in self.readings}

    def vouching(self, amount: Amount, value: float, name: str = "") -> frozenset[int]:
        """Which figures can be read as that amount; `name`: the metric of a threshold or a delta."""
        return frozenset(
            n for n, figure in enumerate(self.figures) if any(_close(value, v) for v in _values(figure, amount, name))
        )

    def names(self, kind: Name, name: str) -> bool:
        """Whether the text names that, as a thing of that kind."""
        ways: dict[Name, Callable[[str], bool]] = {
            "name": self.says,
            "column": self.says_column,
            "dropped": self.says_dropped,
            "class": self.says_class,
            "address": self.says_address,
            "artefact": self.says_artefact,
            "command": self.says_exactly,
            "formula": self.has,
            "model": self.says_model,
            "gpu": self.says_gpu,
            "metric": self.says_metric,
            "date": self.says_date,
            "namespace": self.says_namespace,
            "place": self.says_place,
            "machine": self.says_machine,
        }
        return not (kind in _FORBIDDEN and self.forbids(name)) and ways[kind](name)

    def forbids(self, name: str) -> bool:
        """Whether the last message that speaks of a name only rules it out."""
        said = (own for m in reversed(self.messages) if naming.spelled(name) in (own := topics.ours(m)).casefold())
        last = next(said, self.messages[-1] if self.messages else "")
        return ruled_out(name, last) or ruled_out(name.replace("_", " "), last)

    def says(self, name: str) -> bool:
        """Whether a name stands in the text, whole: no part of a longer one, and none out of a quoted sentence."""
        sought = naming.spelled(name)
        return sought in self._names or naming.in_run(self.readings, sought)

    def says_column(self, name: str) -> bool:
        """The same for a column, which may be called what else is a unit or a metric."""
        return naming.spelled(name) in self._columns or self.says(name)

    def says_dropped(self, name: str) -> bool:
        """A column, under a word for leaving out in its own clause."""
        return any(topics.leaves_out(r, *span) for r in self.readings for span in naming.spans(r, name))

    def says_class(self, name: str) -> bool:
        """A class of the label: a number only where classes are spoken of."""
        figure = any(e.text == name for e in self.figures) and self.means("class")
        return figure or self.says_column(name)

    def says_address(self, name: str) -> bool:
        return naming.address(self.readings, name)

    def says_namespace(self, name: str) -> bool:
        return self.means("namespace") and self.says(name)

    def says_place(self, name: str) -> bool:
        """A region or a zone: by its look, or beside the word for one."""
        beside = rf"(?:region|zone|区域|地域|可用区)\W{{0,3}}{re.escape(name.casefold())}(?![{_BESIDE}-])"
        told = any(re.search(beside, r.text.casefold()) for r in self.readings)
        return naming.of_kind(self.readings, name, "region", "zone") or (told and self.says(name))

    def says_machine(self, name: str) -> bool:
        """A type of machine: by its look, or a name with figures in it."""
        return naming.of_kind(self.readings, name, "instance") or (bool(_TYPED.search(name)) and self.says(name))

    def says_gpu(self, name: str) -> bool:
        return self.means("gpu", name) or (bool(_TYPED.search(name)) and self.says(name))

    def says_model(self, name: str) -> bool:
        """A model family by any of its names, or an architecture with other hyphens or without its organisation."""
        if self.means("family", name) or naming.of_kind(self.readings, name, "checkpoint"):
            return True
        pieces = [re.escape(piece) for piece in re.split(r"[-_ ]+", name.casefold()) if piece]
        loosely = rf"(?<![{_BESIDE}.-]){'[-_ ]?'.join(pieces)}(?![{_BESIDE}/-])"
        return bool(_CHECKPOINT.match(name)) and any(re.search(loosely, text) for text in self._plain)

    def says_artefact(self, name: str) -> bool:
        """`ctr:v5` also where the text says `ctr` here and `v5` there."""
        pieces = [piece for piece in re.split(r"[:@]", name) if piece]
        return self.says_address(name) or (len(pieces) == 2 and all(self.says(piece) for piece in pieces))

    def says_exactly(self, command: str) -> bool:
        """A program or a formula, letter by letter, where the text has one."""
        known = [e.text for r in self.readings for e in r.entities if e.kind in _PROGRAMS]
        starts = any(text in command or command in text for text in known)
        return starts and self.has(command)

    def has(self, text: str) -> bool:
        """Letter by letter, and not out of a longer word."""
        bounded = rf"(?<![\w.-]){re.escape(text)}(?![\w-])"
        return bool(text.strip()) and any(
            re.search(bounded, m) and normalise(text) in r.text
            for m, r in zip(self.messages, self.readings, strict=True)
        )

    def says_date(self, date: str) -> bool:
        for reading in self.readings:
            for at in reading.kinds("date"):
                figures = date_figures(reading[at].text)
                if len(figures) > 1 and "{:04d}-{:02d}-{:02d}".format(*[*figures, 1][:3]) == date[:10]:
                    return True
        return bool(re.search(r"\d", date)) and self.has(date)

    def compares(self, *, equal: bool = False) -> bool:
        """Whether anything is compared with what there is; `equal`: in that it is not to get worse."""
        kinds = ("compar", "stable") if equal else ("comparand", "compar", "stable", "speed")
        return any(self.means(kind) for kind in kinds) or self.means("cmp", "better")

    def rolls_back(self) -> bool:
        """Whether anything is to be undone on a condition."""
        return self.means("abort") or self.means("act", "rollback")

    def means(self, kind: str, *values: str) -> bool:
        """Whether a word with that reading is said, and not ruled out."""
        return any(not r.negated(n) for r in self.readings for n in r.where(kind, *values) if not r[n].quoted)

    def rules_out(self, kind: str, *values: str) -> bool:
        return any(r.negated(n) for r in self.readings for n in r.where(kind, *values))

    @cached_property
    def metrics(self) -> frozenset[str]:
        """Every metric that is spoken of; `latency` without a percentile speaks of each of them."""
        return frozenset(name for places in self._measured.values() for names in places.values() for name in names)

    def says_metric(self, name: str) -> bool:
        own = name.removeprefix("custom:")
        return name in self.metrics or (own != name and (self.says(own) or self.says(own.replace("_", " "))))

    @cached_property
    def _names(self) -> frozenset[str]:
        return naming.names(self.readings)

    @cached_property
    def _columns(self) -> frozenset[str]:
        return naming.names(self.readings, column=True)

    @cached_property
    def _plain(self) -> tuple[str, ...]:
        """The texts without what they quote: quoted sentences are somebody's words, and none of the goal's."""
        return tuple(_unquoted(r).casefold() for r in self.readings)


def _is_figure(entity: Entity) -> bool:
    counted = entity.number is not None or entity.means("full") or entity.readings.get("every", "unit") != "unit"
    return counted and entity.kind not in ("clock", "date", "enum", "version")


def _is_ratio(figure: Entity) -> bool:
    return figure.exact and figure.raw is not None and 0 < figure.raw < 1


def _measured(reading: Reading) -> dict[int, frozenset[str]]:
    """Place → metrics spoken of there; `latency` without a percentile, or `faster`, speaks of each percentile."""
    found: dict[int, set[str]] = {}
    for mention in (*mentions(reading), *paraphrased(reading, mentions(reading))):
        found.setdefault(mention.at, set()).add(mention.name)
    for n, entity in enumerate(reading.entities):
        names = {entity.readings[kind] for kind in ("metric", "custom") if kind in entity.readings}
        if names:
            found.setdefault(n, set()).update(names)
        if "latency" in found.get(n, ()) or entity.means("speed"):
            found.setdefault(n, set()).update({"latency_p50_ms", "latency_p95_ms", "latency_p99_ms"})
    return {n: frozenset(names) for n, names in found.items()}


def _unquoted(reading: Reading) -> str:
    text = reading.text
    for entity in reading.entities:
        if entity.kind == "quoted" and " " in entity.text:
            text = text[: entity.start] + " " * (entity.end - entity.start) + text[entity.end :]
    return text


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(1.0, abs(one), abs(other))


def _values(figure: Entity, amount: Amount, name: str) -> tuple[float, ...]:
    """What a figure comes to as that amount: several readings where the text leaves it open (`95` is 95 % or 95)."""
    number, raw, dim = figure.number, figure.raw, figure.dim
    if amount == "seconds" and "every" in figure.readings and figure.readings["every"] != "unit":
        return (float(figure.readings["every"]),)
    if amount == "steps" and figure.means("full"):
        return (100.0,)
    if number is None or raw is None:
        return ()
    if amount == "threshold":
        return _threshold(figure, number, raw, name)
    if amount == "delta":
        return tuple(sign * v for v in _delta(figure, number, raw, name) for sign in (1.0, -1.0))
    if amount in ("share", "steps"):
        times = 100.0 if amount == "steps" else 1.0
        if dim == "percent":
            return (number * times,)
        return ((raw, raw / 100) if amount == "share" and raw >= 1 else (raw,)) if dim == "" else ()
    wanted = {"usd": "money", "seconds": "duration"}.get(amount, amount)
    if dim == "money" and not figure.means("unit", "USD"):
        return ()
    return (number,) if dim in (wanted, "") else ()


def _threshold(figure: Entity, number: float, raw: float, name: str) -> tuple[float, ...]:
    read_as = value_for(name, figure)
    if read_as is not None:
        return (read_as,)
    known = metric(name)
    unit = known.unit if known is not None else "ratio"
    if figure.dim == "":  # a number in words, which the grammar takes for a pronoun unless it must be one
        return (raw, raw / 100) if unit == "ratio" and raw >= 10 else (raw,)
    wanted = {"usd": "money", "s": "duration", "count": "replica"}.get(unit)
    return (number,) if figure.dim == wanted else ()


def _delta(figure: Entity, number: float, raw: float, name: str) -> tuple[float, ...]:
    known = metric(name)
    if figure.dim in ("percent", "points"):
        return (number, 1 - number)
    if figure.dim == "times":
        return (number - 1, 1 - 1 / number) if number else ()
    if figure.dim == "duration":
        return (number * 1000,) if known is not None and known.unit == "ms" else (number,)
    return (raw, raw / 100) if figure.dim == "" else ()

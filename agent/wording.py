"""Values in words, for every screen and report; and what outside text loses before it is shown.

Pure: knows the records, no terminal and no format.
"""

from __future__ import annotations

import re
from typing import Literal

from agent.contract import Clause, Part, Rollout
from agent.documents import ClauseVerdict, RunDocument, Verdict
from agent.plan import Range
from tools.metrics import metric

_ESCAPES = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|.)?", re.DOTALL
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LINK = re.compile(r"\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/|$)", re.IGNORECASE)


def clean(text: str) -> str:
    """One line that cannot steer a terminal: no escapes, controls, direction marks or lone surrogates."""
    spaced = re.sub(r"[\t\r\n\v\f\u2028\u2029]+", " ", _ESCAPES.sub("", text))
    return _CONTROLS.sub("", spaced).strip()


def outside(text: str, *, limit: int = 400) -> str:
    """Text from outside, fit to be shown: clean, without links to elsewhere, and of bounded length."""
    bare = _LINK.sub(lambda m: m[0] if _LOOPBACK.match(m[0]) else "(link removed)", clean(text))
    return bare if len(bare) <= limit else bare[: limit - 1] + "…"


def moment(text: str) -> str:
    """An RFC 3339 time in UTC to the minute: `2026-03-02 09:00Z`; anything else as it is."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(?:Z|\+00:00)", text)
    return f"{match[1]} {match[2]}Z" if match else clean(text)


def number(value: float | str | None) -> str:
    """6 significant digits, without an exponent between 1e-4 and 1e15."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return clean(value)
    text = f"{value:.6g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e15 else text


def money(usd: float | None) -> str:
    """US dollars; fractions of a cent where that is all there is."""
    if usd is None:
        return "unknown"
    return f"${usd:,.4f}" if 0 < usd < 0.01 else f"${usd:,.2f}"


def duration(seconds: float | None) -> str:
    """Seconds in at most two units: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for size, name, minor, minor_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // minor
            return f"{whole // size} {name}" + (f" {rest} {minor_name}" if rest else "")
    return f"{whole} s"


def span(value: Range, unit: Literal["usd", "seconds"]) -> str:
    """A range in words: `$0.10–$0.40`, `8–12 s`, `50 s–2 min`, `at least $3.00`, `unknown`."""
    show = money if unit == "usd" else _rough
    if value.low is None and value.high is None:
        return "unknown"
    if value.low is None or value.high is None:
        known = value.low if value.high is None else value.high
        return f"{'at least' if value.high is None else 'at most'} {show(known)}"
    low, high = show(value.low), show(value.high)
    if low == high:
        return low
    number_, _, name = low.rpartition(" ")
    same_unit = unit == "seconds" and " " not in number_ and high.endswith(f" {name}") and high.count(" ") == 1
    return f"{number_ if same_unit else low}–{high}"


def _rough(seconds: float | None) -> str:
    """An estimate: tenths only below a second."""
    return duration(seconds if seconds is None or seconds < 1 else float(round(seconds)))


def percent(fraction: float) -> str:
    return f"{fraction * 100:.0f} %"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def demand(clause: Clause) -> str:
    """A clause in words, without where it is measured: `recall of yes >= 0.9`."""
    subject = clause.metric + (f" of {clean(clause.class_)}" if clause.class_ else "")
    words = f"{subject} {clause.op} {_threshold(clause)}"
    if clause.confidence is not None:
        words += f" with {percent(clause.confidence)} confidence"
    if clause.window_s is not None:
        words += f" over {duration(clause.window_s)}"
    return words


def _threshold(clause: Clause) -> str:
    if clause.relative is None:
        return number(clause.value)
    relative = clause.relative
    if not relative.delta:
        return f"the {relative.to}'s"
    delta = percent(relative.delta) if relative.kind == "ratio" else number(relative.delta)
    return f"the {relative.to}'s {'' if delta.startswith('-') else '+'}{delta}"


def measured_where(clause: Clause) -> str:
    """Where a clause is measured: `on holdout`, `live`, `at the end`."""
    return {"holdout": "on holdout", "live": "live", "run": "of the run", "state": "at the end"}[clause.where]


def rollout(value: Rollout) -> str:
    """How a model reaches traffic, in a phrase."""
    words = [value.strategy.replace("_", "/")]
    if value.steps:
        words[0] += " " + " → ".join(f"{number(step)}" for step in value.steps) + " %"
    if value.hold_s is not None:
        words.append(f"{duration(value.hold_s)} each")
    if value.replicas is not None:
        words.append(plural(value.replicas, "replica"))
    if value.min_replicas is not None or value.max_replicas is not None:
        words.append(f"{value.min_replicas or 0} to {value.max_replicas or 'any'} replicas")
    if value.lease_s is not None:
        words.append(f"up for {duration(value.lease_s)}")
    return ", ".join(words)


def work(part: Part) -> str:
    """What a part is about: `classification of species from penguins.csv`."""
    labels = [clean(d.label) for d in part.data if d.label]
    words = part.task + (f" of {labels[0]}" if labels else "")
    if part.data:
        words += " from " + ", ".join(clean(d.uri) for d in part.data)
    elif part.target:
        words += f" of {clean(part.target)}" if not labels else f" for {clean(part.target)}"
    return words


def evidence(verdict: ClauseVerdict) -> str:
    """Where a verdict can be checked: the record's id and the file."""
    if verdict.evidence is None:
        return "none"
    return verdict.evidence.id + (f" · {clean(verdict.evidence.path)}" if verdict.evidence.path else "")


def is_measured(verdict: ClauseVerdict) -> bool:
    """Whether a model or an endpoint was measured for it, rather than the run itself still under way."""
    known = metric(verdict.metric)
    return verdict.measured is not None and (known is None or known.where in ("holdout", "live"))


def interval(value: tuple[float, float] | None) -> str:
    return "" if value is None else f"[{number(value[0])}, {number(value[1])}]"


def headline(document: RunDocument) -> tuple[str, str]:
    """How a run stands, in a word and a sentence."""
    run = document.run
    if run.status in _UNFINISHED:
        return _UNFINISHED[run.status], run.reason
    refused = document.feasibility.verdict == "refused" or run.exit_code == 3
    verdicts = [v.verdict for v in run.clauses]
    if refused:
        return "REFUSED", run.reason
    if document.feasibility.verdict == "needs_input":
        return "NEEDS INPUT", run.reason
    if run.exit_code == 1 or "NOT MET" in verdicts:
        return "NOT MET", run.reason or _count(verdicts)
    if run.exit_code == 4 or "UNPROVEN" in verdicts:
        return "UNPROVEN", run.reason or _count(verdicts)
    return "MET", run.reason or _count(verdicts)


_UNFINISHED = {
    "planning": "PLANNING",
    "waiting": "WAITING",
    "running": "RUNNING",
    "cancelled": "CANCELLED",
    "failed": "FAILED",
}


def _count(verdicts: list[Verdict]) -> str:
    met = verdicts.count("MET")
    return f"{met} of {plural(len(verdicts), 'clause')} met" if verdicts else ""

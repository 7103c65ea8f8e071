"""Outcomes as Markdown for the summary page of a CI job, and as annotations beside the goal files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.doors.ci.suite import Outcome
from agent.markdown import code, row, said
from agent.wording import clean, duration, headline, money, number
from tools.language import language_of, speaking, tr


def render(outcomes: Sequence[Outcome]) -> str:
    """A table of the goals and, under it, what is not met; ends with a newline."""
    met = sum(o.exit_code == 0 for o in outcomes)
    lines = [f"## Goals: {met} of {len(outcomes)} met", ""]
    lines += [row("goal file", "verdict", "clauses met", "time", "spent", "run"), row(*["---"] * 6)]
    lines += [_line(outcome) for outcome in outcomes]
    details = [line for outcome in outcomes if outcome.exit_code != 0 for line in _details(outcome)]
    return "\n".join(lines + (["", *details] if details else [])) + "\n"


def append(path: Path, text: str) -> None:
    """Add to the summary file: other steps of the job write there too."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _line(outcome: Outcome) -> str:
    document = outcome.document
    if document is None:
        return row(code(outcome.file), "**FAILED**", "–", duration(outcome.seconds), "–", "–")
    clauses = document.run.clauses
    met = f"{sum(c.verdict == 'MET' for c in clauses)} of {len(clauses)}"
    spent, took = money(document.run.spent.usd), duration(outcome.seconds)
    return row(code(outcome.file), f"**{headline(document)[0]}**", met, took, spent, code(document.run.id))


def _details(outcome: Outcome) -> list[str]:
    """What is not met of a goal, in the goal's own language."""
    with speaking(language_of(outcome.document.goal.text if outcome.document is not None else "")):
        return list(_detail(outcome))


def _detail(outcome: Outcome) -> Iterator[str]:
    yield f"### {code(outcome.file)}"
    yield ""
    if outcome.document is None:
        yield from (f"- {said(line)}" for line in outcome.problem.splitlines() if clean(line))
        yield ""
        return
    if why := headline(outcome.document)[1]:
        yield said(why)
        yield ""
    for clause in outcome.document.run.clauses:
        if clause.verdict != "MET":
            value = number(clause.measured)
            measured = tr("measured {value}", value=value) if clause.measured is not None else tr("not measured")
            note = f"{tr(': ')}{said(clause.note)}" if clause.note else ""
            yield f"- **{tr(clause.verdict)}** {code(clause.demanded)}{tr(', ')}{measured}{note}"
    yield ""


def workflow_commands(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One workflow command for each goal that is not met, as GitHub Actions reads it from the log."""
    for outcome in outcomes:
        if outcome.exit_code == 0:
            continue
        word, why = headline(outcome.document) if outcome.document is not None else ("FAILED", outcome.problem)
        level = "warning" if outcome.exit_code == 4 else "error"
        title = f"{word}: {Path(outcome.file).name}"
        yield f"::{level} file={_property(outcome.file)},line=1,title={_property(title)}::{_message(why)}"


def _message(text: str) -> str:
    """Escaped as workflow commands demand, so that no text becomes a command of its own."""
    return "\n".join(clean(line) for line in text.splitlines()).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")

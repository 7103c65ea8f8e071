"""Outcomes as JUnit XML: a suite a goal file, a case a clause, as test reports of CI systems read it.

NOT MET is a failure, UNPROVEN and a goal that could not be run are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from agent.documents import ClauseVerdict
from agent.doors.ci.suite import Outcome
from agent.wording import clean, headline, number
from tools.language import language_of, speaking, tr


def render(outcomes: Sequence[Outcome]) -> str:
    """The XML document; ends with a newline."""
    root = Element("testsuites", name="goalkeeper")
    suites = []
    for outcome in outcomes:
        with speaking(language_of(outcome.document.goal.text if outcome.document is not None else "")):
            suites.append(_suite(root, outcome))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(o.seconds for o in outcomes):.3f}")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, outcome: Outcome) -> Element:
    suite = SubElement(root, "testsuite", name=clean(outcome.file), time=f"{outcome.seconds:.3f}")
    document = outcome.document
    if document is not None:
        suite.set("timestamp", document.run.started)
        properties = SubElement(suite, "properties")
        for name, value in (("run", document.run.id), ("goal", document.goal.text), ("report", document.run.report)):
            SubElement(properties, "property", name=name, value=clean(value or ""))
    verdicts = document.run.clauses if document is not None else ()
    for verdict in verdicts:
        _clause(suite, outcome, verdict)
    waits = document is not None and document.run.status == "waiting"
    if document is None or outcome.exit_code not in (0, 1, 4) or waits or not verdicts:
        _goal(suite, outcome)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    if outcome.log:
        SubElement(suite, "system-err").text = "\n".join(clean(line) for line in outcome.log)
    return suite


def _clause(suite: Element, outcome: Outcome, verdict: ClauseVerdict) -> None:
    name = f"{clean(verdict.part)}: {clean(verdict.demanded)}"
    case = SubElement(suite, "testcase", classname=clean(outcome.file), name=name, time="0")
    if verdict.verdict == "MET":
        return
    kind = "failure" if verdict.verdict == "NOT MET" else "error"
    told = tr(
        "{verdict}: measured {measured}, demanded {demanded}",
        verdict=tr(verdict.verdict),
        measured=number(verdict.measured),
        demanded=clean(verdict.demanded),
    )
    problem = SubElement(case, kind, type=verdict.verdict, message=told)
    problem.text = clean(verdict.note) or told


def _goal(suite: Element, outcome: Outcome) -> None:
    """The goal itself as a case: it ended otherwise than through its clauses."""
    case = SubElement(suite, "testcase", classname=clean(outcome.file), name="goal", time=f"{outcome.seconds:.3f}")
    if outcome.exit_code == 0:
        return
    word, why = headline(outcome.document) if outcome.document is not None else ("FAILED", outcome.problem)
    lines = [clean(line) for line in why.splitlines() if clean(line)] or [
        tr("exit code {code}", code=outcome.exit_code)
    ]
    SubElement(case, "error", type=word, message=lines[0]).text = "\n".join(lines)

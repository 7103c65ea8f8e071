"""`policy check`: everything that is wrong with a policy set, at once and with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from policies.case import Case, read_cases, wrong_cases
from policies.cedar import ASKS, ON_DENY, Rule, invalid, rules
from policies.engine import RESERVED
from policies.faults import Fault
from policies.folder import LIMITS, Folder, read_folder
from policies.judge import CedarPolicies
from policies.limits import Limits, load_limits
from policies.people import DEFAULT
from policies.schema import schema
from policies.wording import known, spoken
from tools.catalogue import TOOLS
from tools.language import tr
from tools.recipes.faults import near
from tools.record import Record

ANNOTATIONS = ("id", "says", "fix", ON_DENY)
_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Checked(Record):
    """What a policy set is, or what is wrong with it."""

    digest: str | None
    """None: it cannot be used."""
    ids: tuple[str, ...]
    """Of all policies that can be read."""
    faults: tuple[Fault, ...]


def check(folder: Path | None = None) -> Checked:
    """Examine the shipped policies, or those of a folder, with their limits and cases."""
    found = read_folder(folder)
    faults = faults_of(found)
    readable = [rule for file, text in found.texts.items() for rule in rules(text, file)[0]]
    digest = None
    if not faults and found.limits is not None:
        digest = CedarPolicies(found.texts, found.limits).digest
    return Checked(digest=digest, ids=tuple(rule.id for rule in readable if rule.id), faults=faults)


def faults_of(folder: Folder) -> tuple[Fault, ...]:
    """Everything that is wrong: files, limits, statements, annotations, sentences, types, people, cases."""
    faults = list(folder.faults)
    limits = folder.limits
    read: list[Rule] = []
    for file, text in folder.texts.items():
        found, unread = rules(text, file)
        faults += unread
        read += found
    policies = CedarPolicies(folder.texts, limits if limits is not None else load_limits())
    faults += [fault for rule in read for fault in _annotated(rule)]
    faults += _repeated(read)
    faults += _invalid(read, json.dumps(schema(TOOLS)))
    if limits is not None and folder.own_limits:
        faults += _answered(read, limits)
    cases, unread = _cases(folder, policies.limits)
    faults += unread
    if cases and not faults:  # a set with faults decides nothing that cases could be held against
        faults += wrong_cases(policies, cases)
    return tuple(faults)


def _cases(folder: Folder, limits: Limits) -> tuple[list[Case], list[Fault]]:
    cases: list[Case] = []
    texts, unread = folder.cases()
    faults = list(unread)
    for file, text in texts.items():
        found, wrong = read_cases(text, f"cases/{file}", limits)
        cases += found
        faults += wrong
    return cases, faults


def _at(rule: Rule) -> str:
    return f"{rule.file}:{rule.line} {rule.id}".rstrip()


def _annotated(rule: Rule) -> Iterator[Fault]:
    """What its annotations lack, or say wrongly."""
    if not _ID.fullmatch(rule.id):
        fix = tr('write @id("name") in small letters, digits and `_` before it')
        yield Fault(place=_at(rule), what=tr("has no `@id` that can be a name"), fix=fix)
    if rule.id in RESERVED:
        yield Fault(place=_at(rule), what=tr("the engine itself objects under this name"), fix=tr("choose another"))
    for name in rule.annotations:
        if name not in ANNOTATIONS:
            yield Fault(
                place=_at(rule),
                what=tr("@{name} is no annotation that is known", name=name),
                fix=near(name, ANNOTATIONS),
            )
    if ON_DENY in rule.annotations and not rule.asks:
        fix = tr('write @on_deny("{asks}") on a forbid, or leave it out', asks=ASKS)
        yield Fault(place=_at(rule), what=tr("@on_deny says nothing that is known"), fix=fix)
    for name in ("says", "fix"):
        if rule.forbids and not rule.annotations.get(name):
            fix = tr("say in a sentence what it objects to") if name == "says" else tr("say what helps")
            yield Fault(place=_at(rule), what=tr("a forbid has no @{name}", name=name), fix=fix)
        yield from _sentence(rule, rule.annotations.get(name) or "")


def _sentence(rule: Rule, template: str) -> Iterator[Fault]:
    try:
        unknown = [name for name in spoken(template) if name not in known()]
    except ValueError as error:
        yield Fault(place=_at(rule), what=tr("{template!r} is no sentence: {error}", template=template, error=error))
        return
    for name in unknown:
        yield Fault(place=_at(rule), what=tr("no field is called {name!r}", name=name), fix=near(name, known()))


def _repeated(read: Sequence[Rule]) -> Iterator[Fault]:
    first: dict[str, Rule] = {}
    for rule in read:
        if rule.id and rule.id in first:
            there = first[rule.id]
            what = tr("the @id {id!r} stands at {place} already", id=rule.id, place=f"{there.file}:{there.line}")
            yield Fault(place=_at(rule), what=what, fix=tr("give it another"))
        first.setdefault(rule.id, rule)


def _invalid(read: Sequence[Rule], types: str) -> Iterator[Fault]:
    """What the schema's types rule out."""
    for rule, message in invalid(read, types):
        yield Fault(place=_at(rule), what=message)


def _answered(read: Sequence[Rule], limits: Limits) -> Iterator[Fault]:
    """People answer only what is asked."""
    asking = sorted(rule.id for rule in read if rule.asks)
    for policy in limits.people.answers:
        if policy != DEFAULT and policy not in asking:
            what = tr("{policy!r} is no policy that asks a person", policy=policy)
            yield Fault(place=f"{LIMITS} people.answers.{policy}", what=what, fix=near(policy, asking))

"""Cases: calls that a policy must object to and near misses that it must let pass, as data beside the policies.

A case says only what matters; everything else is a call that nothing objects to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from policies.engine import RESERVED, Ruling
from policies.faults import Fault
from policies.judge import CedarPolicies
from policies.limits import Limits
from policies.request import Facts, Label, Request
from tools.catalogue import BY_NAME
from tools.judged import Kind
from tools.language import tr
from tools.record import Json, Record
from tools.yaml_tree import Entries, Items, Node, Scalar, parse

USUAL = Facts(backend="sim", digest="", now_ms=0, limit_ms=600_000, cost_micro=0)
"""Nothing shipped objects to these facts."""


class Case(Record):
    """One call, and what is to become of it."""

    policy: str
    place: str
    """`spending.yaml:3`"""
    ruling: Ruling
    """`approved`: a near miss."""
    tool: str
    input: Json = {}
    facts: Facts
    taint: Mapping[str, Label] = {}
    limits: Limits

    @property
    def request(self) -> Request:
        return Request(requester="ada", run="r", tool=self.tool, input=self.input, facts=self.facts, taint=self.taint)


def read_cases(text: str, file: str, limits: Limits) -> tuple[list[Case], list[Fault]]:
    """The cases of one file, and what is wrong with it. A file maps policies to lists of cases."""
    root, flaws = parse(text)
    faults = [Fault(place=f"{file}:{f.at.line}", what=f.what, fix=f.fix) for f in flaws]
    cases: list[Case] = []
    if not isinstance(root, Entries):
        return [], faults or [Fault(place=file, what=tr("is no mapping of policies to cases"))]
    for policy, listed in root.entries:
        for item in listed.items if isinstance(listed, Items) else ():
            place = f"{file}:{item.at.line}"
            try:
                cases.append(_case(policy.text or "", place, _plain(item), limits))
            except ValidationError as error:
                told = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()]
                faults.append(Fault(place=place, what="; ".join(told)))
            except (KeyError, TypeError, ValueError) as error:
                faults.append(Fault(place=place, what=tr("is no case: {error}", error=error)))
    return cases, faults


def _case(policy: str, place: str, said: object, limits: Limits) -> Case:
    if not isinstance(said, dict):
        raise TypeError(tr("a case is a mapping"))
    fields: Json = {**said, "policy": policy, "place": place}
    kinds = {view.name: view.kind for view in BY_NAME[fields["tool"]].views}
    fields["input"] = {name: _typed(kinds.get(name), value) for name, value in (fields.get("input") or {}).items()}
    usual = USUAL.model_dump()
    changed: Json = fields.get("facts") or {}
    fields["facts"] = Facts.model_validate({**usual, **changed})
    fields["limits"] = Limits.model_validate(_merged(limits.model_dump(by_alias=True), fields.get("limits") or {}))
    return Case.model_validate(fields)


def _typed(kind: Kind | None, value: object) -> object:
    if kind in ("integer", "micro"):
        return int(str(value))
    return value == "true" if kind == "flag" else value


def _merged(usual: Json, more: Json) -> Json:
    """The limits with some of them changed."""
    found = dict(usual)
    for key, value in more.items():
        below = usual.get(key)
        found[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def _plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    return {key.text: _plain(value) for key, value in node.entries}


def wrong_cases(policies: CedarPolicies, cases: list[Case]) -> Iterator[Fault]:
    """A fault for every case that ends otherwise than it says, and for every policy without both kinds of case."""
    for case in cases:
        decision = policies.under(case.limits).judge(case.request)
        found = {finding.policy for finding in decision.findings}
        wanted = set() if case.ruling == "approved" else {case.policy}
        if decision.ruling != case.ruling or found != wanted:
            said = ", ".join(sorted(found)) or tr("no policy")
            what = tr("ended {ruling}, by {found}", ruling=tr(decision.ruling), found=said)
            yield Fault(place=case.place, what=what, fix=tr("change the policy or the case"))
    for rule in policies.rules.values():
        own = {case.ruling == "approved" for case in cases if case.policy == rule.id}
        if rule.forbids and own != {True, False}:
            what = tr("has no case that it objects to") if False not in own else tr("has no near miss that passes")
            yield Fault(place=f"{rule.file}:{rule.line} {rule.id}", what=what, fix=tr("add one to cases/"))
    for policy in {case.policy for case in cases} - set(policies.rules) - RESERVED:
        place = next(case.place for case in cases if case.policy == policy)
        yield Fault(place=place, what=tr("there is no policy {policy!r}", policy=policy[:60]))

"""The policy language: Cedar texts to rules, rules to sets that can be asked. The only module that imports cedarpy.

A forbid that cannot be evaluated is skipped by Cedar, so any error is told, and an answer with errors allows nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from policies.faults import Fault, PolicyFaults
from policies.limits import Limits
from policies.numbers import Numbers
from policies.request import Request
from policies.schema import LIMITS, ancestors, schema
from policies.statements import statements
from tools.language import tr
from tools.tool import Tool

if TYPE_CHECKING:
    import cedarpy
    from cedarpy import pst

ON_DENY = "on_deny"
ASKS = "require_approval"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One policy of a file."""

    file: str
    line: int
    text: str
    node: pst.Template

    @property
    def id(self) -> str:
        """Its `@id`; empty when it has none."""
        return self.node.annotations.get("id", "")

    @property
    def forbids(self) -> bool:
        return self.node.effect == "forbid"

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.node.annotations

    @property
    def asks(self) -> bool:
        """It forbids, and a person's yes is enough."""
        return self.forbids and self.annotations.get(ON_DENY) == ASKS

    def can_match(self, tool: Tool) -> bool:
        """Whether its action constraint leaves room for the tool. What cannot be told is taken to match."""
        from cedarpy import pst

        action = self.node.action
        if isinstance(action, pst.ActionEq):
            return action.entity.id == tool.name
        if isinstance(action, pst.ActionIn):
            return bool({entity.id for entity in action.entities} & {tool.name, *ancestors(tool)})
        return True


def rules(text: str, file: str) -> tuple[list[Rule], list[Fault]]:
    """The policies of one file, and a fault for each statement that is none."""
    found, faults = [], []
    for line, statement in statements(text):
        place = f"{file}:{line}"
        try:
            found.append(Rule(file=file, line=line, text=statement, node=_node(statement)))
        except ValueError as error:
            faults.append(Fault(place=place, what=tr("cannot be read: {error}", error=error)))
    return found, faults


def _node(statement: str) -> pst.Template:
    from cedarpy import PolicySet

    nodes = PolicySet.from_str(statement).to_pst()
    if nodes.templates:
        raise ValueError(tr("a template (?principal, ?resource) is filled by nothing here"))
    (node,) = nodes.static_policies.values()
    return node


def invalid(read: Sequence[Rule], schema: str) -> Iterator[tuple[Rule, str]]:
    """What Cedar's validator says of each policy under the schema, every message once."""
    from cedarpy import Schema, validate_policies

    types = Schema.from_json_str(schema)
    for rule in read:
        said = (_PLACE.sub("", error.error) for error in validate_policies(rule.text, types).errors)
        yield from ((rule, message) for message in dict.fromkeys(said))


_PLACE = re.compile(r"^for policy `[^`]*`, | (?:for|in) (?:action )?Action::\"[^\"]*\"")
"""The positional id of a policy and the action of a message, which holds for many."""


class Answer(NamedTuple):
    """What the engine says of a request."""

    allowed: bool
    reasons: tuple[str, ...]
    """Ids of the policies that decided: forbids, or the permits of what is allowed."""
    errors: tuple[str, ...] = ()
    """Policies that could not be evaluated, or a request that could not be read; then nothing is allowed."""


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A policy set that can be asked under some limits, split by action when it first is."""

    rules: Mapping[str, Rule]
    """By id, in the order of the files."""
    types: cedarpy.Schema
    entities: cedarpy.Entities
    """The limits, and the actions: without these a policy about a group of actions would never match."""
    sets: dict[tuple[str, bool], cedarpy.PolicySet] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Mapping[str, str], tools: Iterable[Tool], limits: Limits) -> Self:
        """PolicyFaults when the texts cannot be used."""
        from cedarpy import Schema

        types = Schema.from_json_str(json.dumps(schema(tools)))
        return cls(rules=_by_id(texts), types=types, entities=_entities(limits, types))

    def under(self, limits: Limits) -> Self:
        """The same policies with other limits, parsed no second time."""
        return replace(self, entities=_entities(limits, self.types))

    def ask(self, request: Request, tool: Tool, context: str, *, lifted: bool = False) -> Answer:
        """Ask the policies that can match the tool; `lifted`: without those that ask a person."""
        from cedarpy import Decision, is_authorized

        asked = {
            "principal": {"type": "Person", "id": request.requester},
            "action": {"type": "Action", "id": tool.name},
            "resource": {"type": "Run", "id": request.run},
            "context": context,
        }
        told = is_authorized(asked, self._set(tool, lifted=lifted), self.entities, self.types)
        errors = tuple(told.diagnostics.errors)
        if told.decision is Decision.NoDecision and not errors:
            errors = (tr("no decision was reached"),)
        return Answer(
            allowed=told.decision is Decision.Allow and not errors,
            reasons=tuple(told.diagnostics.reasons),
            errors=errors,
        )

    def prepare(self, tool: Tool) -> None:
        """Have the policies ready that can match the tool."""
        self._set(tool, lifted=False)

    def _set(self, tool: Tool, *, lifted: bool) -> cedarpy.PolicySet:
        key = (tool.name, lifted)
        if key not in self.sets:
            chosen = (rule for rule in self.matching(tool) if not (lifted and rule.asks))
            self.sets[key] = _assembled(chosen)
        return self.sets[key]

    def matching(self, tool: Tool) -> Iterator[Rule]:
        """The policies whose scope has room for the tool."""
        yield from (rule for rule in self.rules.values() if rule.can_match(tool))


def _entities(limits: Limits, types: cedarpy.Schema) -> cedarpy.Entities:
    from cedarpy import Entities

    known = {"uid": LIMITS, "attrs": Numbers.of(limits).model_dump(exclude_none=True), "parents": []}
    return Entities.from_json_str(json.dumps([known]), types)


def _by_id(texts: Mapping[str, str]) -> Mapping[str, Rule]:
    found: dict[str, Rule] = {}
    faults: list[Fault] = []
    for file, text in texts.items():
        read, wrong = rules(text, file)
        faults += wrong
        for rule in read:
            if not rule.id or rule.id in found:
                faults.append(Fault(place=f"{file}:{rule.line}", what=tr("a policy has no `@id` of its own")))
            found[rule.id] = rule
    if faults:
        raise PolicyFaults(*faults)
    return found


def _assembled(chosen: Iterable[Rule]) -> cedarpy.PolicySet:
    """A set of these policies, each under its `@id`."""
    from cedarpy import PolicySet, pst

    nodes = {rule.id: replace(rule.node, id=rule.id) for rule in chosen}
    return PolicySet.from_pst(pst.PolicySet(templates={}, static_policies=nodes, template_links=()))

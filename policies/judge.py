"""Judges a call: default deny, forbid wins, a person is asked only where nothing else forbids, errors refuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Literal

from policies.cedar import Parsed, Rule
from policies.engine import ARGUMENTS, DEFAULT_DENY, ENGINE, Decision, Finding
from policies.input import wire
from policies.limits import Limits
from policies.request import Request
from policies.wording import say
from tools.catalogue import BY_NAME
from tools.inert import line_of
from tools.language import tr
from tools.tool import Tool

_MAX_ERROR = 300


class CedarPolicies:
    """Policies from Cedar texts, with limits. Nothing is parsed before the first call is judged."""

    def __init__(self, texts: Mapping[str, str], limits: Limits, *, tools: Iterable[Tool] = BY_NAME.values()) -> None:
        self.texts = dict(sorted(texts.items()))
        self.limits = limits
        self._tools = {tool.name: tool for tool in tools}

    def under(self, limits: Limits) -> CedarPolicies:
        """The same policies with other limits, parsed no second time."""
        other = CedarPolicies(self.texts, limits, tools=self._tools.values())
        other._parsed = self._parsed.under(limits)
        return other

    @cached_property
    def digest(self) -> str:
        said = json.dumps([self.texts, self.limits.model_dump(mode="json")], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Every policy by its id, in the order of the files. PolicyFaults when the texts cannot be used."""
        return self._parsed.rules

    @cached_property
    def _parsed(self) -> Parsed:
        return Parsed.of(self.texts, self._tools.values(), self.limits)

    def prepare(self) -> None:
        """Import the engine, parse the policies and put them together by tool: work that a wait may hide."""
        with suppress(ImportError, ValueError):  # whoever judges is told
            for tool in self._tools.values():
                self._parsed.prepare(tool)

    def judge(self, request: Request) -> Decision:
        """Ask every policy that can apply. Never raises."""
        try:
            return self._judge(request)
        except BaseException as error:  # a panic of the engine is no Exception, and no permission either
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return _unable(request, f"{type(error).__name__}: {error}")

    def _judge(self, request: Request) -> Decision:
        tool = self._tools.get(request.tool)
        if tool is None:
            return _refused(
                DEFAULT_DENY,
                tr("there is no tool {tool!r}, and nothing permits it", tool=request.tool[:60]),
                tr("leave the step out"),
            )
        context, odd = wire(request, tool, self.limits)
        if odd:
            return _refused(ARGUMENTS, tr("; ").join(odd), tr("write the arguments plainly"))
        answer = self._parsed.ask(request, tool, context)
        if answer.errors:
            return _unable(request, *answer.errors)
        if answer.allowed:
            return Decision(ruling="approved")
        forbidding = [rule for id_ in answer.reasons if (rule := self.rules[id_]).forbids]
        if any(not rule.asks for rule in forbidding):
            return self._objections(request, "refused", [rule for rule in forbidding if not rule.asks])
        # A yes lifts what asks for it. It permits nothing: something else must, or there is nothing to ask about.
        lifted = self._parsed.ask(request, tool, context, lifted=True) if forbidding else answer
        if lifted.errors:
            return _unable(request, *lifted.errors)
        if lifted.allowed:
            return self._objections(request, "held", forbidding)
        return _refused(
            DEFAULT_DENY,
            tr("no policy permits {tool}", tool=request.tool),
            tr("add a permit to the policies, or leave the step out"),
        )

    def _objections(self, request: Request, ruling: Literal["held", "refused"], objecting: list[Rule]) -> Decision:
        said = sorted(objecting, key=lambda rule: (rule.file, rule.line, rule.id))
        return Decision(
            ruling=ruling,
            findings=tuple(
                Finding(
                    policy=rule.id,
                    ruling=ruling,
                    sentence=say(rule.annotations.get("says") or rule.id, request, self.limits),
                    fix=say(rule.annotations.get("fix") or "", request, self.limits),
                )
                for rule in said
            ),
        )


def _refused(policy: str, sentence: str, fix: str) -> Decision:
    return Decision(ruling="refused", findings=(Finding(policy=policy, ruling="refused", sentence=sentence, fix=fix),))


def _unable(request: Request, *errors: str) -> Decision:
    """Policies could not be asked: that is a refusal."""
    named = tuple(line_of(error, limit=_MAX_ERROR) for error in errors)
    sentence = tr("the policies could not judge {tool}: {error}", tool=request.tool, error=tr("; ").join(named))
    return _refused(ENGINE, sentence, tr("see `goalkeeper policy check`")).model_copy(update={"errors": named})

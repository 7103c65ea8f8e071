"""The embedded brain: grammar and chaining, deterministic, no network."""

from __future__ import annotations

from agent.brain.rules.grammar.understand import Rules as Grammar
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose


class Rules(Grammar):
    """Understands by grammar, plans by chaining over what tools require and provide."""

    unsupported = staticmethod(unsupported)
    propose = staticmethod(propose)

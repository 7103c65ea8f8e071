"""The embedded brain: grammar and chaining, deterministic, no network."""

from __future__ import annotations

from agent.brain.rules.honoured import unsupported
from agent.brain.rules.propose import propose
from agent.brain.rules.understand import Rules as Grammar


class Rules(Grammar):
    """Understands by grammar, plans by chaining over what tools require and provide."""

    unsupported = staticmethod(unsupported)
    propose = staticmethod(propose)

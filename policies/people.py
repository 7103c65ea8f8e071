"""Who may answer which question: roles, who holds them, and which policy asks whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import model_validator

from tools.language import tr
from tools.record import Record

EVERYBODY = "*"
DEFAULT = "default"


class Answerer(Record):
    """Whose yes counts."""

    role: str
    other_than_requester: bool


class People(Record):
    roles: Mapping[str, tuple[str, ...]]
    """Role → operating-system users; `*` is everybody, nobody is nobody."""
    answers: Mapping[str, Answerer]
    """Policy → who may say yes to it; `default` for the rest."""

    @model_validator(mode="after")
    def _everybody_is_somebody(self) -> People:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        if DEFAULT not in self.answers:
            yield tr("`answers` has no `default`: say who answers what no other line names")
        for policy, answerer in self.answers.items():
            if answerer.role not in self.roles:
                known = ", ".join(self.roles)
                yield tr(
                    "{policy} is answered by role {role!r}, and the roles are {known}",
                    policy=policy,
                    role=answerer.role,
                    known=known,
                )

    def who(self, policy: str) -> Answerer:
        """Who may say yes to what that policy holds."""
        return self.answers.get(policy, self.answers[DEFAULT])

    def holds(self, user: str, role: str) -> bool:
        """Whether the operating-system user has the role."""
        return bool(user) and bool({user, EVERYBODY} & set(self.roles.get(role, ())))

    def holders(self, role: str) -> tuple[str, ...]:
        """Who has the role, by name; `*` is everybody. Empty: nobody was named yet."""
        return self.roles.get(role, ())

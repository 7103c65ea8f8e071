"""A question to people, in words: what an answer reaches, who may give it, and how."""

from __future__ import annotations

import json

from agent.clock import stamp
from agent.documents import ApprovalAsked, Kind, Pending, PlanDocument
from agent.wording import clean, moment, money, outside
from tools.language import plural, tr

MICRO = 1_000_000
EVERYBODY = "*"
_LONGEST = 60
"""Characters of one argument that are shown."""


def who(question: Pending) -> str:
    """Whose answer counts: `bob or eve`, `anybody but ada`, `nobody yet`."""
    if EVERYBODY in question.who:
        return (
            tr("anybody but {user}", user=clean(question.requester)) if question.other_than_requester else tr("anybody")
        )
    names = [clean(name) for name in question.who]
    return tr(" or ").join(names) or tr("nobody yet")


def together(document: PlanDocument) -> list[tuple[tuple[str, ...], ApprovalAsked]]:
    """The approvals of a plan, with the steps of which the same is said, whatever their tools."""
    tools = {step.id: step.tool for step in document.plan.steps}
    found: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, ...], ApprovalAsked]] = {}
    for one in document.approvals:
        key = one.reason.replace(tools.get(one.step, one.step), ""), one.who
        steps, first = found.get(key, ((), one))
        found[key] = (*steps, one.step), first
    return list(found.values())


def asks(approval: ApprovalAsked) -> str:
    """Who will be asked for an approval."""
    names = ", ".join(tr("anybody") if name == EVERYBODY else clean(name) for name in approval.who)
    roles = ", ".join(map(clean, approval.roles))
    return tr("asks {who} (role {roles})", who=names or tr("nobody yet"), roles=roles) if roles else tr("asks a person")


def waits(question: Pending, *, approve: str, resume: str) -> str:
    """What has to happen before the run goes on; `approve` and `resume` are commands."""
    name, roles = clean(question.id), tr(" and ").join(map(clean, question.roles))
    if question.who:
        return tr(
            "{question} waits for {who} with role {roles}: `{approve}` (or deny)",
            question=name,
            who=who(question),
            roles=roles,
            approve=approve,
        )
    needed = tr("somebody other than {user}", user=clean(question.requester))
    return tr(
        "{question} waits for {needed} with role {roles}, and there is nobody: name somebody under people.roles in "
        "limits.yaml, then `{resume}`",
        question=name,
        needed=needed if question.other_than_requester else tr("somebody"),
        roles=roles,
        resume=resume,
    )


def heads() -> tuple[str, ...]:
    """The columns of `row`."""
    return tr("what"), tr("where"), tr("how many"), tr("at most"), tr("with")


def row(kind: Kind) -> tuple[str, ...]:
    """One kind of call that an answer reaches."""
    where = clean(kind.target) if kind.target else "–"
    if kind.namespace:
        where = tr("{target} in {namespace}", target=where, namespace=clean(kind.namespace))
    cost = tr("price unknown") if kind.usd_micro is None else money(kind.usd_micro / MICRO)
    return clean(kind.tool), where, plural(kind.count, "call"), cost, _arguments(kind)


def _arguments(kind: Kind) -> str:
    """Those that are known and say something that the other columns do not; and whose model it is."""
    shown = {k: v for k, v in kind.args.items() if v is not False and v not in (None, kind.target)}
    return ", ".join(f"{clean(k)}={_value(v)}" for k, v in shown.items() if k == "model" or not _later(v))


def _later(value: object) -> bool:
    """Another step will give it."""
    return isinstance(value, dict) and set(value) == {"$ref"}


def _value(value: object) -> str:
    if isinstance(value, dict) and _later(value):
        return tr("as {tool} gives it", tool=clean(str(value["$ref"]).rpartition(".")[0]))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return outside(text, limit=_LONGEST)


def ends(question: Pending) -> str:
    """Until when it can be answered, and until when the answer holds."""
    asked = moment(stamp(question.expires))
    if question.bounds is None:
        return tr("to be answered before {time}", time=asked)
    return tr(
        "to be answered before {time}; a yes holds for what begins before {until}, and for nothing public",
        time=asked,
        until=moment(stamp(question.bounds.until)),
    )

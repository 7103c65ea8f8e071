"""A question drawn: what a yes reaches as a small table, and until when it holds."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.documents import Bounds, Pending
from agent.posed import ends, heads, row, who
from agent.wording import clean, money, outside
from tools.language import tr


def question(pending: Pending) -> RenderableType:
    """What a person is asked, why, by which policies, what a yes reaches, and who may say it."""
    head = Text.assemble(("? ", "bold yellow"), (clean(pending.id), "bold"), (f"  {clean(pending.step)}", "dim"))
    blocks: list[RenderableType] = [head, Text(f"  {outside(pending.reason)}")]
    if pending.again:
        again = tr("asked again: {why}", why=outside(pending.again))
        blocks.append(Text(f"  {again}", style="yellow"))
    if pending.bounds is not None:
        blocks.append(Padding(_reach(pending.bounds), (0, 0, 0, 2)))
    cost = tr("unknown") if pending.usd is None else tr("at most {value}", value=money(pending.usd))
    policies = ", ".join(map(clean, pending.policies)) or tr("none")
    blocks.append(Text("  " + tr("cost {cost}   policies {policies}", cost=cost, policies=policies), style="dim"))
    if pending.who or pending.roles:
        roles = ", ".join(map(clean, pending.roles))
        told = tr("answered by {who} (role {roles}), {ends}", who=who(pending), roles=roles, ends=ends(pending))
        blocks.append(Text(f"  {told}", style="dim"))
    return Group(*blocks)


def _reach(bounds: Bounds) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, head in enumerate(heads()):
        table.add_column(
            head,
            justify="right" if index in (2, 3) else "left",
            no_wrap=index != 4,
            overflow="fold" if index == 4 else "ellipsis",
            ratio=1 if index == 4 else None,
        )
    for kind in bounds.kinds:
        table.add_row(*(Text(cell) for cell in row(kind)))
    return table

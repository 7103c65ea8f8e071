"""The options that every command takes, before or after its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

KEY = "goalkeeper.flags"


def flags(ctx: click.Context) -> dict[str, Any]:
    """What was given so far, by option name; later ones win."""
    found: dict[str, Any] = ctx.meta.setdefault(KEY, {})
    return found


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if parameter.name is not None and value not in (None, False):
        flags(ctx)[parameter.name] = value


def shared_options(*, brief: bool = False) -> list[click.Parameter]:
    """Fresh options; with `brief`, help shows only those that every command heeds."""

    def option(name: str, help_: str, *, metavar: str | None = None, always: bool = False) -> click.Option:
        return click.Option(
            [name],
            help=help_,
            metavar=metavar,
            is_flag=metavar is None,
            default=None,
            expose_value=False,
            callback=_keep,
            hidden=brief and not always,
        )

    return [
        option("--json", "Print one JSON document on stdout and nothing else there.", always=True),
        option("--backend", "Where effects happen.", metavar="local|sim"),
        option("--brain", "What understands the goal.", metavar="rules|llm"),
        option("--budget", "Most that may be spent, in US dollars.", metavar="USD"),
        option("--yes", "Say yes beforehand to what is yours to approve of the plan. Refusals stay refusals."),
        option("--home", "Where runs are kept (default: .goalkeeper).", metavar="DIR", always=True),
    ]


def shared(*, brief: bool = False) -> Callable[[click.Command], click.Command]:
    """Adds the shared options to a command."""

    def add(command: click.Command) -> click.Command:
        command.params.extend(shared_options(brief=brief))
        return command

    return add

"""`completion SHELL`: the script that a shell sources."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from agent.doors.cli.options import shared


@shared(brief=True)
@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of SHELL: `source <(goalkeeper completion bash)`."""
    ctx = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    script = kind(ctx.command, {}, "goalkeeper", "_GOALKEEPER_COMPLETE")
    click.echo(script.source())
    return 0

"""The command `goalkeeper`: which commands there are, loaded when they are used.

Summaries stand here so that `--help` needs no command's module.
"""

from __future__ import annotations

import difflib
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from agent.doors.cli.options import shared_options

if TYPE_CHECKING:
    from agent.doors.service import Service
    from agent.settings import Settings

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("goals", "Plan a goal, ask where needed, carry it out and report."),
    "plan": ("goals", "Show contract, plan, cost and approvals. Has no effect."),
    "chat": ("chat", "Talk about goals and runs: state, ask, correct, approve."),
    "ci": ("ci", "Run goal files headless: JUnit XML, summary, worst exit code."),
    "runs": ("history", "List the runs, newest first."),
    "show": ("history", "Show one run: contract, plan, verdicts, cost."),
    "events": ("history", "Show the journal of a run."),
    "report": ("history", "Print the report of a run as Markdown."),
    "goals": ("levels", "List what is looked after: state, budgets, next check."),
    "approve": ("decisions", "Approve what a run waits for."),
    "deny": ("decisions", "Deny what a run waits for."),
    "cancel": ("decisions", "Cancel a run and release what it holds."),
    "worker": ("worker", "Carry on the runs that wait or were left."),
    "resume": ("decisions", "Go on with a run that was interrupted or waits."),
    "extend": ("standing", "Let an endpoint that was kept live longer."),
    "stop": ("standing", "End an endpoint that was kept."),
    "rollback": ("standing", "Give an endpoint back to a version it had before."),
    "scale": ("standing", "Set the number of an endpoint's servers."),
    "sweep": ("upkeep", "List what runs left behind and nobody needs."),
    "policy": ("policy", "Check the policies; explain what they decided."),
    "replay": ("policy", "Say what other policies would have done to a run."),
    "audit": ("audit", "Verify a run's record, or pass it on for others to."),
    "doctor": ("upkeep", "Check what is configured, reachable and missing."),
    "completion": ("completion", "Print the completion script of a shell."),
}
"""Command → (module, one line)."""


class Commands(click.Group):
    """Loads a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agent.doors.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        command.short_help = COMMANDS[cmd_name][1]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"to state a goal: goalkeeper run {args[0]!r}"
            ctx.fail(f"there is no command '{args[0]}' ({hint})")
        return super().resolve_command(ctx, args)


def build(open_session: Callable[[Settings], Service] | None = None) -> click.Group:
    """The command line over sessions opened by `open_session`; without it, over the real ones."""
    return Commands(
        name="goalkeeper",
        params=[
            *shared_options(),
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_version,
                help="Print the version.",
            ),
        ],
        help="State a goal for a machine-learning workflow; Goalkeeper plans it, operates it and proves every clause.",
        epilog='Example: goalkeeper run "Predict species from penguins.csv, at least 95 % accuracy."',
        context_settings={"help_option_names": ["-h", "--help"], "obj": open_session},
        no_args_is_help=False,
        invoke_without_command=True,
        callback=_bare,
    )


def execute(args: Sequence[str], open_session: Callable[[Settings], Service] | None = None) -> int:
    """Run one command line; its exit code. Prints usage faults itself."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = build(open_session).main(list(args), prog_name="goalkeeper", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as fault:
        return _usage(fault, as_json="--json" in args)
    except click.Abort:
        return 130


def _bare() -> None:
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _version(ctx: click.Context, _: click.Parameter, value: Any) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"goalkeeper {version('goalkeeper')}")
        ctx.exit()


def _usage(fault: click.ClickException, *, as_json: bool) -> int:
    """A fault in the command line itself: one message, exit 2."""
    from agent.settings import redaction

    message = redaction().text(fault.format_message())
    if as_json:
        error = {
            "kind": "usage",
            "message": message,
            "exit_code": 2,
            "faults": [{"place": "command line", "what": message, "fix": ""}],
        }
        print(json.dumps({"error": error}, ensure_ascii=False))
        return 2
    ctx = getattr(fault, "ctx", None)
    path = ctx.command_path if ctx is not None else "goalkeeper"
    click.echo(f"goalkeeper: {message}\nTry: {path} --help", err=True)
    return 2

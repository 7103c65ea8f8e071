"""A call's arguments on their way to the guard: references replaced, in the tool's own form, fit to be written down.

What policies judge is exactly what is performed: nothing that a tool would read otherwise than it is written passes.
"""

from __future__ import annotations

from collections import deque

from pydantic import ValidationError

from agent.plan import Plan, Step, refs, resolve
from agent.state import Run
from agent.written import unwritable
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.record import Json, Record


class Ready(Record):
    """Arguments that a call can be made with, or why it cannot."""

    args: Json
    problems: tuple[str, ...] = ()


def ready(step: Step, run: Run) -> Ready:
    """The step's arguments in the tool's form. Never raises for what a step says."""
    if odd := tuple(unwritable(step.args)):
        return Ready(args={}, problems=odd)
    meant = {name for name, _ in refs(step.args)}
    results = {name: r for name in reachable(run.plan, step, meant) if (r := run.result(name)) is not None}
    try:
        args = resolve(step.args, results)
    except (KeyError, TypeError) as error:
        return Ready(args={}, problems=(tr("it refers to {what}, which no step before it gives", what=error),))
    tool = BY_NAME.get(step.tool)
    if tool is None:
        return Ready(args=args)
    try:
        read = tool.args.model_validate(args).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        found = (f"{'.'.join(map(str, e['loc']))[:80]}{tr(': ')}{e['msg']}" for e in error.errors(include_url=False))
        return Ready(args=args, problems=tuple(found)[:20])
    other = (name for name, value in args.items() if read.get(name) != value)
    return Ready(args=args, problems=tuple(tr("{name} is not written as what it means", name=n) for n in other))


def reachable(plan: Plan, step: Step, names: set[str]) -> set[str]:
    """Those of the named steps whose results this one may refer to: its needs and theirs, the nearest first."""
    left, found, todo = set(names), set[str](), deque(step.needs)
    seen = set(step.needs)
    while todo and left:
        id_ = todo.popleft()
        if id_ in left:
            left.discard(id_)
            found.add(id_)
        needed = plan.step(id_)
        for need in needed.needs if needed is not None else ():
            if need not in seen:
                seen.add(need)
                todo.append(need)
    return found

"""Finds what runs own, and ends what nobody needs: `python -m tools.sweep [--run RUN] [--owner OWNER] [--release]`.

From what the resources say of themselves alone: it needs no agent, model or store.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tools.backends.local.inventory import Inventory
from tools.backends.local.registry import checked, runtime_folder
from tools.backends.local.watchdog import attend
from tools.errors import ToolError, Transient, Unknown
from tools.ports import Backend, Compute, Jobs, Owned, Scope, Serving
from tools.record import Record

TRIES = 3
"""How often an end is asked for whose answer is lost: ending twice is ending once."""


class Finding(Record):
    """One resource and whether somebody still needs it."""

    owned: Owned
    alive: bool
    """Whether its process runs; True where only the backend itself could say."""
    unowned: bool
    """Its lease has lapsed, its process is gone and only debris is left, or nobody can say whose it is."""
    released: bool = False
    failed: str = ""
    """Why it could not be released."""


class Whose(Record):
    """Which resources are meant; what is not said fits anything."""

    run: str | None = None
    owner: str | None = None

    def fits(self, owned: Owned) -> bool:
        return self.run in (None, owned.run) and self.owner in (None, owned.owner)


Ending = Callable[[Owned], None]
"""Told of each resource before it is ended, which may take a while."""
ALL = Whose()


def look(inventory: Inventory, *, whose: Whose = ALL) -> tuple[Finding, ...]:
    """What is on this machine and not over."""
    items = (item for item in inventory.items() if whose.fits(item.owned))
    return tuple(Finding(owned=item.owned, alive=item.alive, unowned=item.unowned) for item in items)


def release(inventory: Inventory, *, whose: Whose = ALL, ending: Ending = lambda _: None) -> tuple[Finding, ...]:
    """End what is unowned and remove what it left; then the records of what ended by itself and whose lease is over."""
    found = []
    for item in inventory.items():
        if not whose.fits(item.owned):
            continue
        finding = Finding(owned=item.owned, alive=item.alive, unowned=item.unowned)
        if item.unowned:
            ending(item.owned)
            if (now := inventory.again(item)) is not None and now.unowned:  # somebody may have extended it meanwhile
                finding = _released(finding, partial(inventory.finish, now))
        found.append(finding)
    if whose == ALL:
        inventory.tidy()
    return tuple(found)


def here(
    runtime: Path, *, freeing: bool = False, whose: Whose = ALL, ending: Ending = lambda _: None
) -> tuple[Finding, ...]:
    """What is on this machine, and with `freeing`, the end of what nobody needs; somebody watches over the rest."""
    inventory = Inventory(runtime)
    found = release(inventory, whose=whose, ending=ending) if freeing else look(inventory, whose=whose)
    attend(runtime)
    return found


def sweep(
    backend: Backend,
    *,
    now: float,
    release: bool = False,
    whose: Whose = ALL,
    ending: Ending = lambda _: None,
) -> tuple[Finding, ...]:
    """What the ports of any backend list; unowned by lease alone. With `release`, its end. Errors of a list pass."""
    found = []
    for port, end in _creating(backend):
        for owned in (each for each in port.owned(Scope(run=whose.run)) if whose.fits(each)):
            finding = Finding(owned=owned, alive=True, unowned=owned.lease_until <= now)
            if release and finding.unowned and _still(port, owned, now):
                ending(owned)
                finding = _released(finding, partial(_patiently, end, owned.id))
            found.append(finding)
    return tuple(found)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """1 when something unowned was found, else 0; 5 when the runtime folder cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tools.sweep", description="What runs own, and what nobody needs.")
    parser.add_argument("--runtime", type=Path, help="the runtime folder; default: this user's")
    parser.add_argument("--run", help="only what that run made")
    parser.add_argument("--owner", help="only what belongs to that owner")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--release", action="store_true", help="end what is unowned")
    options = parser.parse_args(argv)
    whose = Whose(run=options.run, owner=options.owner)
    try:
        runtime = checked(options.runtime.absolute()) if options.runtime else runtime_folder(environ)
        found = here(runtime, freeing=options.release, whose=whose, ending=_say)
    except (ToolError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 5
    sys.stdout.write(_document(found) if options.json else _table(found))
    return 1 if any(each.unowned for each in found) else 0


def _creating(backend: Backend) -> Iterator[tuple[Jobs | Serving | Compute, Callable[[str], None]]]:
    yield backend.jobs, backend.jobs.cancel
    yield backend.serving, backend.serving.remove
    yield backend.compute, backend.compute.release


def _still(port: Jobs | Serving | Compute, owned: Owned, now: float) -> bool:
    """Whether it is unowned by now as well: somebody may have extended it since the list was made."""
    there = [each for each in port.owned(Scope()) if (each.id, each.call) == (owned.id, owned.call)]
    return all(each.lease_until <= now for each in there)


def _patiently(end: Callable[[str], None], name: str) -> None:
    for left in reversed(range(TRIES)):
        try:
            end(name)
            return
        except (Transient, Unknown):
            if not left:
                raise


def _released(finding: Finding, end: Callable[[], None]) -> Finding:
    """The finding after its end; one that cannot be ended does not keep the others."""
    try:
        end()
    except (ToolError, OSError) as error:
        return finding.model_copy(update={"failed": str(error)})
    return finding.model_copy(update={"released": True, "alive": False})


def _say(owned: Owned) -> None:
    sys.stderr.write(_plain(f"ending {owned.kind} {owned.id} ...") + "\n")
    sys.stderr.flush()


def _document(found: Sequence[Finding]) -> str:
    return json.dumps({"resources": [each.model_dump(mode="json") for each in found]}, indent=2) + "\n"


def _table(found: Sequence[Finding]) -> str:
    if not found:
        return "Nothing is owned by any run.\n"
    return "".join(_plain(_line(each)) + "\n" for each in found)


def _line(finding: Finding) -> str:
    of = finding.owned
    state = "released" if finding.released else "unowned" if finding.unowned else "owned"
    detail = f" ({of.detail})" if of.detail else ""
    failed = f": {finding.failed}" if finding.failed else ""
    if not of.run:
        return f"{state:9}{of.kind} {of.id}{detail}{failed}"
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(of.lease_until))
    return f"{state:9}{of.kind} {of.id} of run {of.run}, {of.owner}, lease until {until}{detail}{failed}"


def _plain(text: str) -> str:
    """A record is outside text: nothing in it may steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

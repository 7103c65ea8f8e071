"""Data: looking at it before planning, and preparing it in a job of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from tools import jobs
from tools.errors import Cause, Failed
from tools.judged import View
from tools.language import language, tr
from tools.recipes.probe_records import Probe, ProbeArgs
from tools.recipes.records import PrepareArgs, PrepareResult
from tools.record import Json
from tools.tool import Done, Effect, Outcome, Running, Site, Tool

PROBE_LIMIT_S = 20.0


def _probe(args: ProbeArgs, site: Site) -> Outcome:
    """Read a header and a capped sample in a short-lived process: the agent imports no data library."""
    command = [sys.executable, "-I", "-m", "tools.recipes.probe", language()]
    limit = min(site.limit_s, PROBE_LIMIT_S)
    try:
        ran = subprocess.run(
            command, input=args.model_dump_json().encode(), capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(
            tr("{source} could not be read within {limit:g} s", source=args.source, limit=limit), cause="timeout"
        ) from error
    if ran.returncode != 0:
        last = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        cause: Cause = "missing_dependency" if "ModuleNotFoundError" in last else "unknown"
        raise Failed(tr("{source} could not be looked at: {last}", source=args.source, last=last), cause=cause)
    try:
        return Done(result=Probe.model_validate(json.loads(ran.stdout)).model_dump(mode="json"))
    except ValueError as error:
        raise Failed(tr("the probe of {source} gave no readable answer", source=args.source)) from error


profile_data = Tool(
    name="profile_data",
    does="Read the header and a capped sample of one table, or list a folder: columns, kinds, rows, faults.",
    effect=Effect.READS,
    args=ProbeArgs,
    result=Probe,
    judged=("source",),
    places=("source",),
    start=_probe,
)


class Prepared(PrepareResult):
    """What was prepared, and the key it lies under."""

    key: str
    isolation: str = "none"


def _start(args: PrepareArgs, site: Site) -> Running:
    return jobs.start(jobs.recipe("prepare", args, site=site, secrets=("holdout.public",)), site)


def _follow(args: PrepareArgs, site: Site, handle: str) -> Outcome:
    del args
    return jobs.follow(site, handle, PrepareResult, lambda made, state: Prepared(**dict(made), **jobs.left(state)))


def _sources(args: Json) -> list[object]:
    """Where the tables lie."""
    return [table["source"] for table in args.get("tables", ())]


prepare_data = Tool(
    name="prepare_data",
    does="Read and join the tables, split them into train, validation and sealed holdout, and profile what is open.",
    effect=Effect.CREATES,
    args=PrepareArgs,
    result=Prepared,
    provides=("data",),
    places=("tables.*.source",),
    judged=(View(name="sources", kind="texts", reads=("tables",), of=_sources),),
    uses="jobs",
    start=_start,
    follow=_follow,
    find=jobs.find,
    stop=jobs.stop,
)

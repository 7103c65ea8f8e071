"""What a report says of things that run: a shadow's agreement, a roll back, sizes, what a look at an endpoint found."""

from __future__ import annotations

from collections.abc import Iterator

from agent import diagnose
from agent.clock import stamp
from agent.contract import Part
from agent.observe import AGREEMENT, Observation
from agent.plan import Step
from agent.state import CallState, Run
from tools.deploy import Inspected
from tools.language import tr
from tools.monitor import Monitored, Reading
from tools.ports import EndpointState, Traffic


def operated(run: Run) -> Iterator[str]:
    """One sentence for each thing worth knowing, part by part."""
    for part in run.contract.parts if run.contract is not None else ():
        yield from (_agreed(o, run) for o in run.observations if (o.part, o.metric) == (part.name, AGREEMENT))
        yield from _undone(part, run)
        yield from _sizes(part, run)
        yield from _looked_at(part, run)


def _calls(part: Part, run: Run, *tools: str) -> list[CallState]:
    """The finished calls of the part by these tools, in order."""
    steps = {s.id for p in run.plans for s in p.plan.of_part(part.name)}
    return [c for c in run.calls.values() if c.call.step in steps and c.call.tool in tools and c.phase == "done"]


def _agreed(seen: Observation, run: Run) -> str:
    result = run.result(seen.step)
    found = Monitored.model_validate(result) if result is not None else None
    beside = found.beside.version if found is not None and found.beside is not None else tr("what callers got")
    same, of = (seen.n or 0) - (seen.count or 0), seen.n or 0
    told = tr(
        "as a shadow it said the same as {beside} in {same} of {of} answers ({share:.1%})",
        beside=beside,
        same=same,
        of=of,
        share=seen.value or 0.0,
    )
    if found is None or found.agreement is None:
        return told
    copies = found.agreement
    lost, apart = copies.unanswered + copies.dropped + copies.waiting, copies.difference
    return (
        told
        + (tr("; {lost} were answered by {beside} alone", lost=lost, beside=beside) if lost else "")
        + ("" if apart is None else tr("; its numbers differ by {apart:.4g} on average", apart=apart))
    )


def _undone(part: Part, run: Run) -> Iterator[str]:
    """How soon after the breach was seen everything was as before."""
    for back in _calls(part, run, "rollback_endpoint", "release_resource"):
        watches = [c for c in _calls(part, run, "monitor_endpoint") if c.seq < back.seq]
        if not watches or watches[-1].ended_at is None or back.ended_at is None or watches[-1].started_at is None:
            continue
        seen, took = watches[-1].ended_at - watches[-1].started_at, back.ended_at - watches[-1].ended_at
        to = back.call.args.get("to")
        after = tr("was back at {to}", to=to) if to else tr("was released")
        yield tr(
            "the watch was over after {seen:.3g} s, and {took:.3g} s later {endpoint} {after}",
            seen=seen,
            took=took,
            endpoint=part.endpoint,
            after=after,
        )


def _sizes(part: Part, run: Run) -> Iterator[str]:
    """Sizes that were tried because a smaller one was short."""
    grown = [c for c in _calls(part, run, "scale_endpoint") if "grow-" in c.call.step]
    if grown:
        sizes = tr(", then ").join(str(c.call.args["replicas"]) for c in grown)
        yield tr("{endpoint} was short of servers under load and got {sizes}", endpoint=part.endpoint, sizes=sizes)


def _looked_at(part: Part, run: Run) -> Iterator[str]:
    if part.task != "diagnose":
        return
    for call in _calls(part, run, "read_traffic"):
        step = next(s for p in reversed(run.plans) for s in p.plan.steps if s.id == call.call.step)
        looked = inspected(step, run)
        if looked is None or call.ended is None or call.ended.result is None:
            continue
        seen = Reading.model_validate(call.ended.result)
        ails = diagnose.examine(looked, seen)
        cause = tr("cause {cause}: ", cause=ails.cause) if ails.cause is not None else ""
        yield f"{cause}{ails.text}" + (tr("; what could be done: {remedy}", remedy=ails.remedy) if ails.remedy else "")
        if looked.state is not None:
            yield from _facts(looked.state, seen)


def inspected(step: Step, run: Run) -> Inspected | None:
    """The look at an endpoint that a step waits for; None where it waits for none."""
    calls = (run.of_step(name) for name in step.needs)
    looks = (c for c in calls if c is not None and c.call.tool == "inspect_endpoint" and c.phase == "done")
    return next((Inspected.model_validate(c.ended.result) for c in looks if c.ended and c.ended.result), None)


def _facts(state: EndpointState, seen: Reading) -> Iterator[str]:
    yield tr(
        "{name} belongs to {owner} and lives until {until}",
        name=state.name,
        owner=state.owner,
        until=stamp(state.lease_until),
    )
    measured = {t.version: t for t in seen.versions}
    for version in state.versions:
        servers = tr("{ready} of {replicas} servers answer", ready=version.ready, replicas=version.replicas)
        shadow = tr(", a shadow") if state.shadow == version.name else ""
        yield tr(
            "{name} has {weight} % of the traffic{shadow}; {servers}",
            name=version.name,
            weight=version.weight,
            shadow=shadow,
            servers=servers,
        )
        if (traffic := measured.get(version.name)) is not None and traffic.requests:
            yield _answered(traffic, seen.seconds)


def _answered(traffic: Traffic, seconds: float) -> str:
    times = ", ".join(f"{name} {ms:.3g} ms" for name, ms in traffic.quantiles_ms.items())
    failed = tr(
        "{errors} of {requests} requests failed in the last {seconds:g} s",
        errors=traffic.errors,
        requests=traffic.requests,
        seconds=seconds,
    )
    return f"{traffic.version}{tr(': ')}{failed}" + (f"{tr('; ')}{times}" if times else "")

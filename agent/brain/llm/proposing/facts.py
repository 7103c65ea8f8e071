"""What a model may know before it plans, as compact lines of typed facts: numbers, closed words, and names by `Names`.

No sentence from outside stands in them: neither details and messages of backends, nor rows, nor why a look failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from agent.brain.llm.proposing.names import Names
from agent.brain.protocol import Known
from agent.past import Past
from agent.survey import DataFacts, Survey
from tools.catalogue import BY_NAME
from tools.compute import Offers, Quoted, Resources
from tools.deploy import Inspected
from tools.monitor import Reading
from tools.ports import EndpointState, Offer, Traffic
from tools.record import Json
from tools.register import Found

MOST = 40
"""Lines of one kind; more would say little and cost much."""
MICRO = 1_000_000


def lines(
    survey: Survey, known: tuple[Known, ...], results: Mapping[str, tuple[str, Json]], names: Names, *, owner: str
) -> str:
    """Every fact, one a line. `results`: step → (tool, what it came to); `owner`: who asks."""
    found = [
        *_offers(survey.offers, names),
        *(line for name, state in survey.endpoints.items() for line in _endpoint(name, state, names, owner, survey.at)),
        *_before(survey, names),
        *(line for data in list(survey.data.values())[:MOST] for line in _data(data, names)),
        *_past(survey.past),
    ]
    for tool, result in results.values():
        found += _result(tool, {}, result, names, owner)
    for one in known:
        if one.result is None and one.tool in BY_NAME:
            found.append(f"{one.tool}: {_args(one, names)}not available")
        elif one.result is not None:
            found += _result(one.tool, one.args, one.result, names, owner)
    return "\n".join(dict.fromkeys(found)) or "nothing is known"


def _args(one: Known, names: Names) -> str:
    endpoint = one.args.get("endpoint")
    return f"{names.shown('endpoint', endpoint)} " if isinstance(endpoint, str) else ""


def _result(tool: str, args: Json, result: Json, names: Names, owner: str) -> list[str]:
    """The facts of one result; none of a tool or a shape that is not known here."""
    try:
        match tool:
            case "inspect_endpoint":
                looked = Inspected.model_validate(result)
                name = looked.state.name if looked.state is not None else str(args.get("endpoint", ""))
                return _endpoint(name, looked.state, names, owner, looked.at)
            case "read_traffic":
                return _traffic(Reading.model_validate(result), str(args.get("endpoint", "")), names)
            case "list_offers":
                return _offers(Offers.model_validate(result).offers, names)
            case "quote_cost":
                return _quotes(Quoted.model_validate(result), names)
            case "find_model":
                return _found(Found.model_validate(result), names)
            case "list_resources":
                return _resources(Resources.model_validate(result), names, owner)
            case _:
                return []
    except ValidationError:
        return []


def _usd(micro: int | None) -> str:
    return "unknown" if micro is None else f"{micro / MICRO:g}"


def _offers(offers: Sequence[Offer], names: Names) -> list[str]:
    found = []
    for o in offers[:MOST]:
        gpu = f" gpu={names.shown('gpu', o.gpu)} gpu_count={o.gpu_count}" if o.gpu is not None else ""
        memory = f" gpu_memory_gb={o.gpu_memory_gb:g}" if o.gpu_memory_gb is not None else ""
        region = f" region={names.shown('region', o.region)}" if o.region else ""
        kind = " spot" * o.spot + " standing" * o.standing
        price = _usd(o.usd_micro_per_hour)
        size = f"cpus={o.cpus:g} memory_gb={o.memory_gb:g}{gpu}{memory}"
        found.append(f"offer {names.shown('offer', o.id)}:{region} {size}{kind} usd_per_hour={price}")
    return found


def _endpoint(name: str, state: EndpointState | None, names: Names, owner: str, at: float) -> list[str]:
    shown = names.shown("endpoint", name)
    if state is None:
        return [f"endpoint {shown}: absent"]
    whose = "you" if state.owner == owner else names.shown("owner", state.owner)
    found = [f"endpoint {shown}: owner={whose} lease_left_s={max(0.0, state.lease_until - at):.0f}"]
    for v in state.versions[:MOST]:
        shadow = " shadow" if state.shadow == v.name else ""
        size = f"state={v.state} traffic_percent={v.weight} replicas={v.replicas} ready={v.ready}{shadow}"
        found.append(f"endpoint {shown} version {names.shown('version', v.name)}: {size}")
    return found


def _before(survey: Survey, names: Names) -> Iterator[str]:
    for endpoint, model in survey.previous.items():
        version = "unknown" if model is None else names.shown("version", model.rpartition(":")[2])
        yield f"endpoint {names.shown('endpoint', endpoint)}: served before: {version}"


def _traffic(seen: Reading, endpoint: str, names: Names) -> list[str]:
    where = f"{names.shown('endpoint', endpoint)} " if endpoint else ""
    return [f"traffic {where}{_of_version(t, seen.seconds, names)}" for t in seen.versions[:MOST]]


def _of_version(t: Traffic, seconds: float, names: Names) -> str:
    times = "".join(f" {q}_ms={ms:.4g}" for q, ms in t.quantiles_ms.items() if q in ("p50", "p95", "p99"))
    counts = f"requests={t.requests} errors={t.errors} refused={t.refused}{times}"
    return f"version {names.shown('version', t.version)} last {seconds:g} s: {counts}"


def _quotes(quoted: Quoted, names: Names) -> list[str]:
    return [
        f"quote offer {names.shown('offer', q.offer)}: machines={q.machines} usd_per_hour={_usd(q.usd_micro_per_hour)}"
        for q in quoted.quotes[:MOST]
    ] or ["quote: nothing that is offered fits"]


def _found(found: Found, names: Names) -> list[str]:
    if found.key is None or found.version is None:
        return ["registry: no such model"]
    name, _, _ = found.key.removeprefix("models/").rpartition("/")
    return [f"registry: model {names.shown('model', name)} version {names.shown('version', found.version)}"]


def _resources(seen: Resources, names: Names, owner: str) -> list[str]:
    whose = [("you" if o.owner == owner else names.shown("owner", o.owner), o) for o in seen.owned[:MOST]]
    return [f"runs: {o.kind} owner={who}" for who, o in whose]


def _data(data: DataFacts, names: Names) -> Iterator[str]:
    shown = names.shown("data", data.uri)
    if data.profile is None:
        yield f"data {shown}: not readable"
        return
    yield f"data {shown}: rows={data.profile.rows} columns={len(data.profile.columns)}"
    for c in data.profile.columns[:MOST]:
        kind = f"kind={c.kind} missing={c.missing} distinct={c.distinct}"
        yield f"data {shown} column {names.shown('column', c.name)}: {kind}"


def _past(past: Sequence[Past]) -> Iterator[str]:
    for p in past[:10]:
        came_to = f" {p.metric}={p.value:.4g}" if p.metric and p.value is not None else ""
        work = f"{p.tool} {p.task}{' ' + p.family if p.family else ''} rows={p.rows}"
        yield f"past: {work} took_s={p.seconds:.3g} usd={_usd(p.usd_micro)}{came_to}"

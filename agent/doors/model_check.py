"""What `doctor` says of the language model: where it is, what it costs, what leaves this machine for it, and, when that
is asked for, whether it answers. Only then anything is sent: one question that holds nothing of anybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from agent.brain.llm.client.disclosed import Disclosed, disclosed
from agent.brain.llm.client.endpoint import OPENAI, Endpoint, endpoint_of
from agent.brain.llm.client.errors import Declined, NoAnswer, Nonsense, Spent, Unavailable, Unfit, Unpriced
from agent.doors.check import Check
from agent.errors import InvalidRequest
from agent.lines import Consulted, Form
from agent.runs import in_force
from agent.settings import ModelForm, Settings
from policies.limits import Limits
from tools.record import Record

if TYPE_CHECKING:
    from agent.brain.llm.client.asking import Asker, Progress

MOST_TOKENS = 1024
"""What the question may be answered with: room for a model that thinks aloud first."""
MICRO = 1_000_000


class Price(Record):
    """In US dollars per million tokens."""

    read: float
    written: float
    origin: str
    """The setting, or `limits.yaml`."""


class Caps(Record):
    """Tokens that the operator allows."""

    before_contract: int
    per_run: int
    per_month: int


class Tried(Record):
    """What came of the question."""

    outcome: Literal["answered", "invalid", "declined", "failed", "skipped"]
    form: Form | None = None
    """Where on the ladder it was answered, or asked last."""
    seconds: float
    requests: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    why: str = ""


class ModelFacts(Record):
    """The model as it is configured."""

    brain: str
    """What understands goals: the model is asked only where it is `llm`."""
    model: str
    url: str
    loopback: bool
    """It is on this machine: nothing leaves it."""
    key: bool
    """One is set."""
    form: ModelForm
    gap_s: float
    deadline_s: float
    price: Price | None
    """None: it is not known, and whoever is there is asked before anything is sent."""
    caps: Caps
    leaves: tuple[Disclosed, ...]
    """What each prompt sends, from its own header: a prompt can be filled with nothing else. Secrets are taken out."""
    tried: Tried | None = None


class Ready(Record):
    """The answer that is hoped for."""

    answer: Literal["ready"]


def configured(settings: Settings) -> Check:
    """Whether a model is configured, and what for. Nothing is asked."""
    if settings.brain == "rules" and settings.model is None:
        return Check(name="model", state="ok", detail="none is configured: the rules understand goals by themselves")
    try:
        endpoint = endpoint_of(settings, in_force(settings.policies).limits)
    except InvalidRequest as error:
        state: Literal["warning", "failed"] = "failed" if settings.brain == "llm" else "warning"
        return _faulty(error, state)
    used = "understands goals" if settings.brain == "llm" else "is not used without --brain llm"
    return Check(name="model", state="ok", detail=f"{endpoint.model} at {bare(endpoint.url)} {used}")


def _faulty(error: InvalidRequest, state: Literal["warning", "failed"]) -> Check:
    detail = "; ".join(f"{fault.place} {fault.what}" for fault in error.faults)
    fix = "; ".join(dict.fromkeys(f"{fault.place}: {fault.fix}" for fault in error.faults if fault.fix))
    return Check(name="model", state=state, detail=detail, fix=fix)


def tried(
    settings: Settings,
    *,
    consent: Callable[[str], bool] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Check, ModelFacts | None]:
    """Everything about the model, and whether it answers. `consent` is asked where its price is not known."""
    try:
        limits = in_force(settings.policies).limits
        endpoint = endpoint_of(settings, limits)
    except InvalidRequest as error:
        return _faulty(error, "failed"), None
    from agent.brain.llm.client.asking import Asker  # whoever asks nothing does without the client

    short = endpoint.model_copy(update={"most_tokens": MOST_TOKENS})
    asker = Asker(short, redaction=settings.redaction, consent=consent, progress=progress)
    failure = _asked(asker)
    line = asker.consulted()[-1]
    facts = _facts(settings, limits, endpoint).model_copy(update={"tried": _came_to(line)})
    if failure is None:
        at = f"{line.seconds:.1f} s, {line.tokens_in + line.tokens_out} tokens, form {line.form}"
        return Check(name="model", state="ok", detail=f"{endpoint.model} at {bare(endpoint.url)} answers: {at}"), facts
    detail = f"{endpoint.model} at {bare(endpoint.url)}: {failure.why}"
    return Check(name="model", state="failed", detail=detail, fix=_way_out(failure, endpoint)), facts


def _asked(asker: Asker) -> NoAnswer | None:
    try:
        asker.ask("check", "ping", {}, Ready)
    except NoAnswer as error:
        return error
    return None


def _came_to(line: Consulted) -> Tried:
    return Tried(
        outcome=line.outcome,
        form=line.form,
        seconds=round(line.seconds, 3),
        requests=line.requests,
        tokens_in=line.tokens_in,
        tokens_out=line.tokens_out,
        usd=None if line.usd_micro is None else line.usd_micro / MICRO,
        why=line.why,
    )


def _facts(settings: Settings, limits: Limits, endpoint: Endpoint) -> ModelFacts:
    return ModelFacts(
        brain=settings.brain,
        model=endpoint.model,
        url=bare(endpoint.url),
        loopback=endpoint.loopback,
        key=endpoint.key is not None,
        form=endpoint.form,
        gap_s=endpoint.gap_s,
        deadline_s=endpoint.deadline_s,
        price=_price(settings, endpoint),
        caps=Caps(
            before_contract=limits.tokens.before_contract,
            per_run=limits.tokens.per_run,
            per_month=limits.tokens.per_month,
        ),
        leaves=disclosed(),
    )


def _price(settings: Settings, endpoint: Endpoint) -> Price | None:
    if endpoint.price is None:
        return None
    given = settings.model_price is not None
    origin = settings.origins.get("model_price", "setting") if given else "limits.yaml"
    return Price(read=endpoint.price[0], written=endpoint.price[1], origin=origin)


def bare(url: str) -> str:
    """An address without a name, a password or a query in it."""
    try:
        parted = urlsplit(url)
        port = "" if parted.port is None else f":{parted.port}"
    except ValueError:
        return "an address that cannot be read"
    host = f"[{parted.hostname}]" if ":" in (parted.hostname or "") else parted.hostname or ""
    return f"{parted.scheme}://{host}{port}{parted.path}"


def _way_out(failure: NoAnswer, endpoint: Endpoint) -> str:
    """What to do about it."""
    match failure:
        case Unfit(status=401 | 403):
            return "set OPENAI_API_KEY to a key of that server" + (", whose model it may use" if endpoint.key else "")
        case Unfit(status=404):
            return _not_found(endpoint)
        case Unfit():
            return f"see whether GOALKEEPER_MODEL={endpoint.model} is a chat model there, and the server's own log"
        case Unavailable():
            return _unavailable(endpoint)
        case Unpriced():
            return "set GOALKEEPER_MODEL_PRICE=IN/OUT (US dollars per million tokens), or tokens.prices in limits.yaml"
        case Nonsense():
            return "choose another form with GOALKEEPER_MODEL_FORM (schema, tool, json, text), or a larger model"
        case Declined() | Spent() | _:
            return "choose another model with GOALKEEPER_MODEL"


def _not_found(endpoint: Endpoint) -> str:
    named = f"is GOALKEEPER_MODEL={endpoint.model} what the server calls it"
    path = "" if endpoint.url.endswith("/v1") else ", and should OPENAI_BASE_URL end in /v1"
    return f"{named}{path}? `curl {bare(endpoint.url)}/models` lists what it has"


def _unavailable(endpoint: Endpoint) -> str:
    if endpoint.loopback:
        return f"start the server, or see whether OPENAI_BASE_URL={bare(endpoint.url)} is where it listens"
    where = "" if endpoint.url != OPENAI else " (OpenAI's own, as OPENAI_BASE_URL is not set)"
    return f"see whether {bare(endpoint.url)}{where} can be reached from here, or try again later"

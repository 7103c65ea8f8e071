"""Where the model is and how it may be asked, from the settings. All faults of them at once."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pydantic import SecretStr

from agent.errors import Fault, InvalidRequest
from agent.settings import ModelForm, Settings
from policies.limits import Limits
from tools.language import tr
from tools.record import Record

OPENAI = "https://api.openai.com/v1"


class Endpoint(Record):
    """An OpenAI-compatible server and a model on it."""

    url: str
    """Without a slash at its end; what is asked goes to `URL/chat/completions`."""
    key: SecretStr | None = None
    model: str
    form: ModelForm = "auto"
    gap_s: float = 60.0
    """Longest silence."""
    deadline_s: float = 180.0
    """Longest that one answer may take, all that is repeated included."""
    concurrency: int = 4
    price: tuple[float, float] | None = None
    """US dollars per million tokens (read, written); None: nobody said."""
    most_tokens: int = 4096
    """Longest answer."""

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine, so that nothing leaves it."""
        return is_loopback(self.url)


def endpoint_of(settings: Settings, limits: Limits) -> Endpoint:
    """The endpoint that is configured. InvalidRequest names every setting that is missing or of no use."""
    url = settings.model_url or OPENAI
    faults = [*_address(url), *_named(settings)]
    if faults or settings.model is None:
        raise InvalidRequest(*faults)
    return Endpoint(
        url=url,
        key=settings.model_key,
        model=settings.model.strip(),
        form=settings.model_form,
        gap_s=settings.model_gap_s,
        deadline_s=settings.model_deadline_s,
        concurrency=settings.model_concurrency,
        price=settings.model_price or limits.price_of(settings.model.strip(), loopback=is_loopback(url)),
    )


def is_loopback(url: str) -> bool:
    """Whether an address is one of this machine."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _named(settings: Settings) -> list[Fault]:
    faults = []
    if not (settings.model or "").strip():
        example = tr("e.g. GOALKEEPER_MODEL=qwen3:8b, as its server calls it")
        faults.append(
            Fault(place="GOALKEEPER_MODEL", what=tr("the brain `llm` needs the name of a model"), fix=example)
        )
    if settings.model_url is None and settings.model_key is None:
        what = tr("the brain `llm` needs the address of a server, or a key for OpenAI's")
        local = tr("e.g. OPENAI_BASE_URL=http://127.0.0.1:8000/v1, or set OPENAI_API_KEY")
        faults.append(Fault(place="OPENAI_BASE_URL", what=what, fix=local))
    return faults


def _address(url: str) -> list[Fault]:
    try:
        parted = urlsplit(url)
        sound = bool(parted.hostname) and (parted.port is None or parted.port > 0)
    except ValueError:
        sound = False
    if not sound or parted.scheme not in ("http", "https"):
        fix = tr("write e.g. http://127.0.0.1:8000/v1")
        return [Fault(place="OPENAI_BASE_URL", what=tr("is no address of a server"), fix=fix)]
    if parted.username is not None or parted.query or parted.fragment:
        what = tr("an address holds neither a name, a password nor a query")
        return [Fault(place="OPENAI_BASE_URL", what=what, fix=tr("put the key into OPENAI_API_KEY"))]
    return []

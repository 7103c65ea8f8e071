"""What is configured, and where each value came from. The only module that reads the environment.

Flags win over `GOALKEEPER_*` variables, these over `goalkeeper.toml`, that over the default.
"""

from __future__ import annotations

import difflib
import os
import pwd
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import SecretStr

from agent import spelt
from agent.clock import parse as parse_time
from agent.errors import Fault, InvalidRequest
from tools.record import Record
from tools.redact import Redaction, known_in

FILE = "goalkeeper.toml"
PREFIX = "GOALKEEPER_"
BackendName = Literal["local", "sim"]
BrainName = Literal["rules", "llm"]
ModelForm = Literal["auto", "schema", "tool", "json", "text"]
LogForm = Literal["off", "text", "json"]


class Tracking(Record):
    """An MLflow server that runs are mirrored to."""

    uri: str
    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None


class Traces(Record):
    """What OpenTelemetry's own variables say of spans; everything else of theirs its SDK reads itself."""

    exporter: str | None = None
    """`otlp`, `console` or `none`; None: `otlp` where there is an endpoint."""
    endpoint: str | None = None
    disabled: bool = False


class Settings(Record):
    """Everything that can be configured."""

    home: Path
    """Where runs, evidence and models are kept; absolute."""
    backend: BackendName = "local"
    brain: BrainName = "rules"
    model_url: str | None = None
    """An OpenAI-compatible endpoint; None: OpenAI's own. Never from a file of the working folder: what is asked goes
    there, and the key."""
    model_key: SecretStr | None = None
    model: str | None = None
    """What the endpoint calls it."""
    model_form: ModelForm = "auto"
    """How it is made to answer in a record; `auto`: the strictest way that the endpoint knows."""
    model_gap_s: float = 60.0
    """Longest silence of the endpoint."""
    model_deadline_s: float = 180.0
    """Longest that one answer may take, what is repeated included."""
    model_concurrency: int = 4
    model_price: tuple[float, float] | None = None
    """US dollars per million tokens read and written; None: as `limits.yaml` says."""
    budget_usd: float | None = None
    """Most that a goal may spend; a goal's own budget is never raised by it."""
    accept: bool = False
    """True: the plan's approvals are given beforehand; refusals stay refusals."""
    now: float | None = None
    """Epoch seconds at which `plan` stands still; None is real time."""
    local_usd_per_hour: float = 0.0
    """Price of an hour of a local job."""
    runtime: Path
    """Per-user folder in which local resources register, outside `home`; absolute."""
    audit: Path | None = None
    """Where the signing key and the signed heads of journals lie, outside `home`; None: in the runtime folder."""
    policies: Path | None = None
    """A folder with policies and limits that take the place of the shipped ones; absolute. Never from a file of the
    working folder, which may come from anybody."""
    endpoint_lease_s: float = 8 * 3600.0
    """How long a deployed endpoint lives when the goal does not say."""
    load_rps: float = 100.0
    """Requests a second drawn from validation data to measure an endpoint."""
    step_summary: Path | None = None
    """Where a CI job collects its Markdown summary; absolute."""
    annotate: bool = False
    """True: findings are also told as workflow commands in the log."""
    tracking: Tracking | None = None
    traces: Traces | None = None
    """Where spans go; None: nowhere."""
    store: SecretStr | None = None
    """A PostgreSQL server in which runs are kept, for several workers; None: a file in `home`. Never from a file of the
    working folder: it holds a password, and all that is known of runs."""
    log: LogForm | None = None
    """How what happens is logged to stderr; None: as the command does by default."""
    secrets: Mapping[str, SecretStr] = {}
    """What the environment holds that looks like a credential, by name: it appears in nothing that is written down."""
    user: str
    """The operating-system user: who asks and who answers."""
    origins: Mapping[str, str] = {}
    """Field → where its value came from: `--home`, `GOALKEEPER_HOME`, `goalkeeper.toml`, `default`."""

    @property
    def store_address(self) -> str | None:
        """Of the shared store, with its password; None: the one in the home."""
        return None if self.store is None else self.store.get_secret_value()

    @property
    def audit_folder(self) -> Path:
        return self.audit or self.runtime / "audit"

    @property
    def redaction(self) -> Redaction:
        """What is taken out of everything that leaves: the secrets known here, and whatever looks like one."""
        own = {
            "MLFLOW_TRACKING_PASSWORD": self.tracking.password if self.tracking is not None else None,
            "MLFLOW_TRACKING_TOKEN": self.tracking.token if self.tracking is not None else None,
            "GOALKEEPER_STORE": self.store,
            "OPENAI_API_KEY": self.model_key,
        }
        given = {name: secret for name, secret in own.items() if secret is not None} | dict(self.secrets)
        return Redaction({name: secret.get_secret_value() for name, secret in given.items()})


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting a person may give."""

    field: str
    """Of `Settings`, or `GROUP.FIELD` of a record in it."""
    key: str
    """`--key`, `GOALKEEPER_KEY` and `key = ...` in the file."""
    read: Callable[[str, Path], object]
    """(text, folder) → value; ValueError with a sentence."""
    flag: bool = False
    file: bool = True
    variable: str | None = None
    """The environment variable, when it is somebody else's."""
    also: tuple[str, ...] = ()
    """Others that say the same, where it is not set."""

    @property
    def env(self) -> str:
        return self.variable or PREFIX + self.key.upper()


def load(flags: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> Settings:
    """The effective settings. `flags` is keyed like `Option.key`; None there means not given.

    Relative folders are resolved against `folder`, where `goalkeeper.toml` is looked for.
    InvalidRequest lists every fault with its place.
    """
    faults: list[Fault] = []
    table = _file(folder / FILE, faults)
    values: dict[str, object] = {}
    origins = {o.field: "default" for o in OPTIONS} | {"user": "operating system", "secrets": "environment"}
    for option in OPTIONS:
        for origin, text in _given(option, flags, environ, table):
            try:
                values[option.field] = option.read(text, folder)
            except ValueError as fault:
                faults.append(Fault(place=origin, what=str(fault)))
            origins[option.field] = origin
            break
    if faults:
        raise InvalidRequest(*faults)
    defaults = {
        "home": (folder / ".goalkeeper").absolute(),
        "runtime": _runtime(environ),
        "user": _user(),
        "secrets": {name: SecretStr(value) for name, value in known_in(environ).items()},
    }
    return Settings.model_validate(defaults | _grouped(values) | {"origins": origins})


_GROUPS: Mapping[str, type[Record]] = {"tracking": Tracking, "traces": Traces}


def _grouped(values: Mapping[str, object]) -> dict[str, object]:
    """The values with those of a record in it; a record that lacks what it needs is none."""
    found = {field: value for field, value in values.items() if "." not in field}
    for name, kind in _GROUPS.items():
        own = {f.removeprefix(f"{name}."): value for f, value in values.items() if f.startswith(f"{name}.")}
        needed = {field for field, info in kind.model_fields.items() if info.is_required()}
        if own and needed <= set(own):
            found[name] = kind.model_validate(own)
    return found


def from_process(flags: Mapping[str, object]) -> Settings:
    """`load` with this process's environment and working folder."""
    return load(flags, os.environ, Path.cwd())


def redaction() -> Redaction:
    """What is taken out of all that this process says, also where its settings are at fault."""
    return Redaction(known_in(os.environ))


def _given(
    option: Option, flags: Mapping[str, object], environ: Mapping[str, str], table: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Every place that gives the option, strongest first."""
    if option.flag and (flag := flags.get(option.key)) is not None and flag is not False:
        yield f"--{option.key}", "true" if flag is True else str(flag)
    for name in (option.env, *option.also):
        if environ.get(name):
            yield name, environ[name]
    if option.file and option.key in table:
        yield f"{FILE} {option.key}", table[option.key]


def _file(path: Path, faults: list[Fault]) -> Mapping[str, str]:
    """The settings file as texts; empty when there is none."""
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        faults.append(Fault(place=FILE, what=f"cannot be read: {error}"))
        return {}
    known = {o.key for o in OPTIONS if o.file}
    texts: dict[str, str] = {}
    for key, value in table.items():
        if key not in known:
            faults.append(Fault(place=f"{FILE} {key}", what="there is no such setting", fix=_near(key, known)))
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            faults.append(Fault(place=f"{FILE} {key}", what="must be a text or a number"))
        else:
            texts[key] = str(value)
    return texts


def _near(key: str, known: set[str]) -> str:
    """The way out. A file may come from anybody: it neither answers approvals nor moves the sweeper."""
    option = next((o for o in OPTIONS if o.key == key), None)
    if option is not None:
        return f"set {option.env}: this is never taken from a file"
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(sorted(known))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _runtime(environ: Mapping[str, str]) -> Path:
    """Where local resources register by default: the same rule as the sweeper's, which knows no agent."""
    state = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '/nonexistent'}/.local/state"
    if os.access(next(p for p in (Path(state), *Path(state).parents) if p.exists()), os.W_OK):
        return Path(state).absolute() / "goalkeeper"
    return Path("/tmp") / f"goalkeeper-{os.geteuid()}"


OPTIONS: tuple[Option, ...] = (
    Option(field="home", key="home", read=spelt.path, flag=True),
    Option(field="backend", key="backend", read=spelt.choice(*get_args(BackendName)), flag=True),
    Option(field="brain", key="brain", read=spelt.choice(*get_args(BrainName)), flag=True),
    Option(field="model_url", key="model_url", read=spelt.address, file=False, variable="OPENAI_BASE_URL"),
    Option(field="model_key", key="model_key", read=spelt.secret, file=False, variable="OPENAI_API_KEY"),
    Option(field="model", key="model", read=spelt.as_text),
    Option(field="model_form", key="model_form", read=spelt.choice(*get_args(ModelForm))),
    Option(field="model_gap_s", key="model_gap", read=spelt.duration),
    Option(field="model_deadline_s", key="model_deadline", read=spelt.duration),
    Option(field="model_concurrency", key="model_concurrency", read=spelt.count),
    Option(field="model_price", key="model_price", read=spelt.prices, file=False),
    Option(field="budget_usd", key="budget", read=spelt.money, flag=True),
    Option(field="accept", key="yes", read=spelt.yes, flag=True, file=False),
    Option(field="now", key="now", read=lambda text, _: parse_time(text), file=False),
    Option(field="local_usd_per_hour", key="local_usd_per_hour", read=spelt.number),
    Option(field="runtime", key="runtime_dir", read=spelt.path, file=False),
    Option(field="audit", key="audit_dir", read=spelt.path, file=False),
    Option(field="policies", key="policies", read=spelt.path, file=False),
    Option(field="endpoint_lease_s", key="endpoint_lease", read=spelt.duration),
    Option(field="load_rps", key="load_rps", read=spelt.positive),
    Option(field="step_summary", key="step_summary", read=spelt.path, file=False, variable="GITHUB_STEP_SUMMARY"),
    Option(field="annotate", key="annotate", read=spelt.yes, file=False, variable="GITHUB_ACTIONS"),
    Option(field="tracking.uri", key="tracking_uri", read=spelt.as_text, file=False, variable="MLFLOW_TRACKING_URI"),
    Option(
        field="tracking.user", key="tracking_user", read=spelt.as_text, file=False, variable="MLFLOW_TRACKING_USERNAME"
    ),
    Option(
        field="tracking.password",
        key="tracking_password",
        read=spelt.secret,
        file=False,
        variable="MLFLOW_TRACKING_PASSWORD",
    ),
    Option(
        field="tracking.token", key="tracking_token", read=spelt.secret, file=False, variable="MLFLOW_TRACKING_TOKEN"
    ),
    Option(
        field="traces.exporter", key="traces_exporter", read=spelt.as_text, file=False, variable="OTEL_TRACES_EXPORTER"
    ),
    Option(
        field="traces.endpoint",
        key="traces_endpoint",
        read=spelt.as_text,
        file=False,
        variable="OTEL_EXPORTER_OTLP_ENDPOINT",
        also=("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",),
    ),
    Option(field="traces.disabled", key="traces_disabled", read=spelt.yes, file=False, variable="OTEL_SDK_DISABLED"),
    Option(field="store", key="store", read=spelt.database, file=False),
    Option(field="log", key="log", read=spelt.choice(*get_args(LogForm))),
)

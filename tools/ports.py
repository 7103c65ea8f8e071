"""What a backend must offer, grouped by what the caller wants.

Every creating method takes the call id and makes it visible on what it creates, so that `find` can adopt after a crash,
and `owned` can list for the sweeper without agent or store. Times are epoch seconds, money integer micro-USD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from tools.errors import Cause
from tools.inputs import Inputs
from tools.language import Language
from tools.record import Json, Record
from tools.watching import Watch

Kind = Literal["job", "endpoint", "machine", "object"]
Capability = Literal["jobs", "serving", "objects", "telemetry", "offers", "machines"]


class Tags(Record):
    """What a created resource says of itself."""

    run: str
    call: str
    """The call id: run, step and attempt. The token by which a creation is found again."""
    owner: str
    """Who asked: the operating-system user, or the name of a standing goal."""
    lease_until: float
    """Epoch seconds after which the resource ends itself."""


class Owned(Record):
    """One resource as the sweeper sees it: from what it says of itself alone."""

    kind: Kind
    id: str
    run: str
    call: str
    owner: str
    lease_until: float
    started: float
    detail: str = ""


class Scope(Record):
    """Which resources to list: all that are visible, or one run's."""

    run: str | None = None


class Promise(Record):
    """How a creating port keeps exactly-once after an unknown outcome."""

    atomic: bool
    """True: repeating a creation with the same call id gives Conflict, which is adopted."""
    staleness_s: float = 0.0
    """How long a list may lie; waited out before creating again."""
    ends_within_s: float = 0.0
    """How long what was told to end may go on."""


class Progress(Record):
    """What a running job says of itself: a claim, shown and never judged."""

    at: float
    message: str
    fraction: float | None = Field(default=None, ge=0, le=1)
    metrics: Mapping[str, float] = {}


class Failure(Record):
    """A typed failure of a job."""

    cause: Cause
    message: str
    faults: tuple[str, ...] = ()
    """Every fault with its place, when the input was wrong."""
    evidence: tuple[str, ...] = ()
    """Log lines the cause rests on: outside text, shown and never obeyed."""


class JobSpec(Record):
    """A program to run once, with its inputs and its hard limit."""

    program: Literal["prepare", "train", "evaluate", "load", "command"]
    """A recipe `tools.recipes.<program>`, or `command` for the user's own program."""
    args: Json = {}
    """The recipe's argument record as JSON."""
    mounts: Mapping[str, str] = {}
    """Input name → object key, readable by the program."""
    secrets: tuple[str, ...] = ()
    """Secrets the backend hands to this job only: `holdout.public` (to seal) or `holdout.private` (to open).
    The backend makes one key pair a run; the private key reaches no other process."""
    argv: tuple[str, ...] = ()
    """The user's own command, exactly as written; only for `command`."""
    folder: str | None = None
    """Where the user's own command starts."""
    environment: Mapping[str, str] = {}
    """Variables for the user's own command. A credential reaches it only when it is named here."""
    hide: tuple[str, ...] = ()
    """Absolute paths the program must not find: the source of the data."""
    sandbox: bool = False
    """True: hide everything that is not named above, where the platform can."""
    time_limit_s: float = Field(gt=0)
    """Hard limit, enforced by the backend on the job itself."""
    language: Language = "en"
    """What is said of the job, and by a recipe, is said in this language."""


class JobState(Record):
    """A job as its backend sees it now."""

    id: str
    phase: Literal["queued", "running", "succeeded", "failed", "cancelled", "lost"]
    started: float | None = None
    ended: float | None = None
    isolation: Literal["sandboxed", "encrypted", "none"] = "none"
    progress: Progress | None = None
    result: Json | None = None
    """What the program left as its result, when it succeeded."""
    failure: Failure | None = None
    usd_micro: int | None = Field(default=None, ge=0)
    """What the backend billed for it, where it bills jobs; None: the price of its hours."""

    @property
    def over(self) -> bool:
        return self.phase in ("succeeded", "failed", "cancelled", "lost")


class Jobs(Protocol):
    """Runs programs that outlive the agent.

    What a job leaves in its output folder is the object `jobs/<job id>` once it has succeeded.
    """

    promise: Promise

    def submit(self, *, spec: JobSpec, tags: Tags) -> JobState:
        """Start a job. Conflict when the call id was used; Invalid, Transient, Unknown, Refused."""
        ...

    def poll(self, job: str) -> JobState:
        """The job's state now. NotFound."""
        ...

    def logs(self, job: str, *, tail: int = 200) -> Sequence[str]:
        """The last lines of the program's output: outside text."""
        ...

    def cancel(self, job: str) -> None:
        """End the job with all its processes. Idempotent; NotFound is success."""
        ...

    def find(self, call: str) -> JobState | None:
        """The job that carries this call id."""
        ...

    def owned(self, scope: Scope) -> Sequence[Owned]: ...


class ServeSpec(Record):
    """One version of a model behind one endpoint."""

    endpoint: str
    version: str
    model: str
    """Object key of the model folder."""
    replicas: int = Field(default=1, ge=1)
    language: Language = "en"
    """What is said of its servers is said in this language."""


class VersionState(Record):
    """One version behind an endpoint."""

    name: str
    state: Literal["starting", "ready", "failed"]
    weight: int = Field(ge=0, le=100)
    """Percent of traffic."""
    model: str
    digest: str | None = None
    """Content digest of the model as the server itself reports it, once ready."""
    replicas: int = Field(default=1, ge=0)
    """How many servers of it are asked for."""
    ready: int = Field(default=0, ge=0)
    """How many of them answer."""
    detail: str = ""


class EndpointState(Record):
    """An endpoint as its backend sees it now."""

    name: str
    url: str
    versions: tuple[VersionState, ...]
    shadow: str | None = None
    """The version that gets a copy of every request; its answers reach no caller."""
    run: str
    owner: str
    lease_until: float
    started: float

    def version(self, name: str) -> VersionState | None:
        return next((v for v in self.versions if v.name == name), None)


class Serving(Protocol):
    """Endpoints: named, versioned, with traffic weights and a lease of their own."""

    promise: Promise

    def deploy(self, *, spec: ServeSpec, tags: Tags) -> EndpointState:
        """Add a version with weight 0; create the endpoint when it is not there. That begins a rollout of the call's
        run (`tools.fence`). Refused while another run holds one."""
        ...

    def split(self, endpoint: str, *, weights: Mapping[str, int], call: str) -> EndpointState:
        """Set the absolute weights (percent, sum 100; versions not named get 0). NotFound, Invalid; Refused while
        another run holds a rollout, unless everything is given to a version that was there before it."""
        ...

    def mirror(self, endpoint: str, *, version: str | None, call: str) -> EndpointState:
        """Copy every request to this version too and keep its answers from callers; None ends that.
        NotFound, Invalid (a version with traffic is no shadow), Refused while another run holds a rollout."""
        ...

    def scale(self, endpoint: str, *, version: str, replicas: int, call: str) -> EndpointState:
        """Set the absolute number of servers of a version; no request in flight is lost. NotFound, Invalid."""
        ...

    def withdraw(self, endpoint: str, *, version: str) -> None:
        """Remove one version. Idempotent."""
        ...

    def extend(self, endpoint: str, *, run: str, owner: str, lease_until: float) -> EndpointState:
        """Set the absolute lease and hand the endpoint over."""
        ...

    def remove(self, endpoint: str) -> None:
        """End the endpoint and every version. Idempotent; NotFound is success."""
        ...

    def state(self, endpoint: str) -> EndpointState:
        """NotFound when there is none."""
        ...

    def find(self, call: str) -> EndpointState | None:
        """The endpoint holding a version that was deployed with this call id."""
        ...

    def owned(self, scope: Scope) -> Sequence[Owned]: ...


class Objects(Protocol):
    """Named folders and files: data sets, models, evidence. Keys are relative, with forward slashes."""

    def put(self, key: str, source: Path) -> str:
        """Store a file or folder; its sha256 content digest."""
        ...

    def fetch(self, key: str) -> Path:
        """A local path holding the content. NotFound."""
        ...

    def digest(self, key: str) -> str: ...

    def names(self, prefix: str) -> Sequence[str]: ...

    def remove(self, key: str) -> None:
        """Take an object away, with everything in it. Idempotent."""
        ...


class Traffic(Record):
    """What the router measured of one version over one span, warm-up dropped."""

    version: str
    since: float
    until: float
    requests: int
    errors: int
    over: Mapping[str, int]
    """Threshold in ms (as `repr` of the float) → number of answered requests slower than it."""
    quantiles_ms: Mapping[str, float]
    """`p50`, `p95`, `p99` of answered requests; empty when there is none."""
    refused: int = 0
    """Requests that the version answered with 4xx: neither in `requests` nor in `errors`. Of a load that is known to
    be well-formed they are failures."""
    ranks_ms: Mapping[str, tuple[tuple[int, float], ...]] = {}
    """Around each quantile (rank, that many-th smallest latency in ms), ranks rising: what its exact bounds need."""
    histogram_ms: tuple[tuple[float, int], ...] = ()
    """(upper bound in ms, answered requests in that bin), bounds rising, empty bins left out."""


class Agreement(Record):
    """How a shadow's answers compare with those that callers got, request by request."""

    version: str
    compared: int
    """Requests that both versions answered."""
    agreed: int
    """Of these: the same class, or numbers within 1 % of each other."""
    unanswered: int
    """Requests that the caller was answered and the shadow failed."""
    dropped: int = 0
    """Copies that were not made because the shadow did not keep up with them."""
    waiting: int = 0
    """Copies that are still on their way now."""
    difference: float | None = None
    """Mean absolute difference of numeric predictions; None for classes."""


class Telemetry(Protocol):
    """Measurements of what runs, by the platform and not by the program."""

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        """Latency and errors of one version since a time, without the first `skip` requests. NotFound.
        A shadow's copies count as its requests."""
        ...

    def agreement(self, endpoint: str, *, version: str, since: float) -> Agreement:
        """What a shadow answered beside what callers got since a time. NotFound."""
        ...

    def inputs(self, endpoint: str, *, version: str, since: float, until: float | None = None) -> Inputs:
        """What callers sent to one version and were told since a time, as counts. NotFound."""
        ...


class Offer(Record):
    """Somewhere work can run, and at what price."""

    id: str
    backend: str
    region: str = ""
    cpus: float
    memory_gb: float
    gpu: str | None = None
    gpu_count: int = 0
    gpu_memory_gb: float | None = None
    spot: bool = False
    usd_micro_per_hour: int | None = Field(default=None, ge=0)
    """None: the price is not known, which is never zero."""
    standing: bool = False
    """True: it is there already and need not be provisioned."""


class Machine(Record):
    """A provisioned machine."""

    id: str
    offer: str
    state: Literal["starting", "ready", "lost", "released"]
    lease_until: float


class Compute(Protocol):
    """What can be had, and having it."""

    promise: Promise

    def offers(self) -> Sequence[Offer]: ...

    def provision(self, *, offer: str, tags: Tags) -> Machine:
        """Refused where nothing can be provisioned; Conflict, Transient, Unknown."""
        ...

    def release(self, machine: str) -> None:
        """Idempotent; NotFound is success."""
        ...

    def find(self, call: str) -> Machine | None: ...

    def owned(self, scope: Scope) -> Sequence[Owned]: ...


class Backend(Protocol):
    """One place where effects happen."""

    name: str
    can: frozenset[Capability]
    jobs: Jobs
    serving: Serving
    objects: Objects
    telemetry: Telemetry
    compute: Compute
    watch: Watch

    def fenced(self, *, run: str, epoch: int) -> Backend:
        """The same for that owner of the run (`tools.epochs`): from here on a lower epoch's changes are refused,
        whenever they began. Superseded when a higher one was here."""
        ...

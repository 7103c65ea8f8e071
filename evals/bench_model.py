"""What a goal asks of a language model: calls over HTTP and tokens, counted by the server that is asked.

A good scripted model answers. The demo goal is carried out whole in a simulated world; every example goal is planned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.brain.llm.brain import Llm
from agent.doors import goalfile
from agent.errors import GoalkeeperError
from agent.prospect import Request
from evals.attacks.ground import Ground
from evals.bench_series import Measurement, Series, Target
from evals.model_server.server import ModelServer
from evals.random_model import reached
from evals.scripted import Scripted
from tools.record import Record

DEMO = (
    "Classify sklearn:breast_cancer with at least 90% accuracy, deploy it as breast-cancer with a canary, "
    "p95 under 80 ms, error rate under 1 %"
)
"""The goal of `make demo`."""
MOST_CALLS, MOST_TOKENS = 3, 8_000
_HERE = Path(__file__).parent
EXAMPLES = _HERE / "goals"
SHARED = _HERE.parents[1] / "shared" / "goals" / "examples.jsonl"
"""Goals that lie beside a checkout, where there are any."""


class Cost(Record):
    """What one goal asked of the model."""

    goal: str
    calls: int
    tokens: int
    """Read and written."""
    ended: str

    def __str__(self) -> str:
        return f"{self.calls} calls {self.tokens:>6} tokens  {self.ended:<11} {self.goal[:80]}"


def bench_model() -> Measurement:
    """Calls and tokens: of the demo goal, and of each example goal."""
    demo = carried_out(DEMO)
    costs = [planned(request) for request in examples()]
    return Measurement(
        name="model",
        series=(
            Series.of("calls, demo goal", "requests", [demo.calls]),
            Series.of("tokens, demo goal", "tokens", [demo.tokens]),
            Series.of("calls, a goal", "requests", [c.calls for c in costs]),
            Series.of("tokens, a goal", "tokens", [c.tokens for c in costs]),
        ),
        targets=(
            Target(says=f"at most {MOST_CALLS} calls for the demo goal", met=demo.calls <= MOST_CALLS),
            Target(says=f"at most {MOST_TOKENS} tokens for the demo goal", met=demo.tokens <= MOST_TOKENS),
            Target(says="the demo goal is reached with the model", met=demo.ended == "exit 0"),
        ),
        notes=tuple(map(str, (demo, *costs))),
    )


def examples() -> Iterator[Request]:
    """Every example goal, and those beside the checkout."""
    for path in sorted(EXAMPLES.glob("*.yaml")):
        file = goalfile.load(path, EXAMPLES)
        yield Request(text=file.text, source=file.source, stated=file.stated, folder=file.folder)
    lines = SHARED.read_text(encoding="utf-8").splitlines() if SHARED.is_file() else []
    for line in filter(str.strip, lines):
        yield Request(text=json.loads(line)["text"], source="bench:model", folder=str(EXAMPLES))


def carried_out(text: str) -> Cost:
    """The goal from understanding to its report, its plan accepted beforehand."""
    with _asked() as (ground, server):
        brain = Llm.open(ground.settings, ground.policies.limits)
        ended = ground.driven(brain, ground.request(text, accept=True))
        code = ended.document.run.exit_code if ended.document is not None else None
        return _cost(text, server, f"exit {code}" if not ended.crash else ended.crash)


def planned(request: Request) -> Cost:
    """The goal understood and planned."""
    with _asked() as (ground, server):
        brain = Llm.open(ground.settings, ground.policies.limits)
        with ground.session(brain) as session:
            try:
                ended: str = session.plan(request).feasibility.verdict
            except GoalkeeperError:
                ended = "invalid"
        return _cost(request.text, server, ended)


@contextmanager
def _asked() -> Iterator[tuple[Ground, ModelServer]]:
    """A world, and a good model that its settings name. RuntimeError when the server refused anything."""
    with TemporaryDirectory(prefix="gk-bench-") as folder, ModelServer(Scripted()) as server:
        ground = Ground(Path(folder))
        ground.settings = reached(ground.settings, server)
        yield ground, server
        if server.wrong:
            raise RuntimeError(f"the model's server refused a request: {server.wrong[0].message}")


def _cost(goal: str, server: ModelServer, ended: str) -> Cost:
    return Cost(
        goal=" ".join(goal.split()),
        calls=len(server.recorded),
        tokens=sum(r.tokens for r in server.recorded) + server.written,
        ended=ended,
    )

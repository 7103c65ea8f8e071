"""An endpoint with two versions that are ready: what most tests of serving start from."""

from __future__ import annotations

from benches import Bench

from tools.ports import EndpointState, ServeSpec, Tags

MODEL = "models/served"
RUN = "serving"


class Served:
    """An endpoint with two versions that are ready."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.digest = bench.backend.objects.put(MODEL, bench.model())
        self.name = bench.name("shared")
        self.tags = {version: bench.tags(run=RUN) for version in ("v1", "v2")}
        self.first = deploy(bench, self.name, "v1", self.tags["v1"])
        deploy(bench, self.name, "v2", self.tags["v2"])
        bench.ready(self.name, "v1", "v2")

    @property
    def state(self) -> EndpointState:
        return self.bench.backend.serving.state(self.name)

    def split(self, **weights: int) -> EndpointState:
        return self.bench.backend.serving.split(self.name, weights=weights, call=self.bench.tags(run=RUN).call)


def deploy(bench: Bench, endpoint: str, version: str, tags: Tags) -> EndpointState:
    spec = ServeSpec(endpoint=endpoint, version=version, model=MODEL)
    return bench.backend.serving.deploy(spec=spec, tags=tags)


def weights(state: EndpointState) -> dict[str, int]:
    return {v.name: v.weight for v in state.versions}

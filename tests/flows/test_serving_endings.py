"""Servers and hosts that die, leases that lapse, and hosts that are started twice."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from serving_desk import (
    Bench,
    ask,
    body,
    children,
    line_to,
    opened,
    tags,
    until,
)

from tools.backends.local.endpoint_records import PUBLISHED
from tools.backends.local.registry import alive
from tools.backends.local.serving import LocalServing
from tools.errors import NotFound
from tools.ports import EndpointState, Scope, ServeSpec


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("serving")) as made:
        yield made


def test_a_model_server_that_dies_is_counted_as_errors_and_comes_back(bench: Bench) -> None:
    path = f"/v2/models/{quote('客流')}/infer"
    bench.ready("客流", "v1")
    state = bench.serving.split("客流", weights={"v1": 100}, call="run1-split-7")
    since = time.time()
    (server,) = children(bench.process("客流").process.pid)
    os.kill(server, signal.SIGKILL)
    with line_to(state) as line:
        statuses = Counter({ask(line, "POST", path, body()).status: 1})
        until(lambda: ask(line, "POST", path, body()).status == 200 or None)
    assert statuses == {502: 1}
    traffic = bench.telemetry.traffic("客流", version="v1", since=since, thresholds_ms=[])
    assert traffic.errors == traffic.requests - 1 >= 1
    assert bench.settled("客流", "v1").versions[0].weight == 100
    bench.serving.remove("客流")


def test_a_lease_that_lapses_ends_endpoint_servers_and_folder_without_anybody(bench: Bench) -> None:
    bench.deploy("brief", "v1")
    lapses = time.time() + 0.8
    handed = bench.serving.extend("brief", run="run2", owner="nightly", lease_until=lapses)
    assert (handed.run, handed.owner, handed.lease_until) == ("run2", "nightly", lapses)
    (tags,) = bench.serving.owned(Scope(run="run2"))
    assert (tags.id, tags.owner) == ("brief", "nightly")
    host = bench.process("brief").process
    servers = until(lambda: children(host.pid) or None)
    folder = bench.runtime / "endpoints" / "brief"
    until(lambda: True if not alive(host) and not folder.exists() else None, within_s=20)
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]
    with pytest.raises(NotFound):
        bench.serving.extend("brief", run="run2", owner="nightly", lease_until=lapses + 60)


def test_a_killed_host_leaves_no_server_is_reported_gone_and_can_be_deployed_again(bench: Bench) -> None:
    bench.deploy("mortal", "v1")
    host = bench.process("mortal").process
    servers = until(lambda: children(host.pid) or None)
    os.kill(host.pid, signal.SIGKILL)
    until(lambda: None if any(_runs(pid) for pid in (host.pid, *servers)) else True, within_s=10)
    with pytest.raises(NotFound, match="gone"):
        bench.serving.state("mortal")
    assert bench.serving.find("run1-mortal-v1-1") is None
    assert [one.detail for one in bench.serving.owned(Scope()) if one.id == "mortal"] == ["its host is gone"]
    state = bench.deploy("mortal", "v1")
    assert state.version("v1") is not None
    bench.serving.remove("mortal")
    assert "mortal" not in {one.id for one in bench.serving.owned(Scope())}


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_two_processes_that_deploy_at_once_share_one_host(bench: Bench) -> None:
    states: list[EndpointState] = []
    both = [threading.Thread(target=lambda v=v: states.append(bench.deploy("twins", v))) for v in ("v1", "v2")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len({state.started for state in states}) == 1
    assert {v.name for v in bench.serving.state("twins").versions} == {"v1", "v2"}
    bench.serving.remove("twins")


def test_a_runtime_folder_too_deep_for_a_socket_still_works(bench: Bench, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir(mode=0o700)
    serving = LocalServing(runtime=deep, objects=bench.objects)
    serving.deploy(spec=ServeSpec(endpoint="deep", version="v1", model="models/old"), tags=tags("run1-deep-1"))
    control = json.loads((deep / "endpoints" / "deep" / PUBLISHED).read_text())["control"]
    assert stat.S_IMODE(Path(control).parent.stat().st_mode) == 0o700
    serving.remove("deep")
    assert not Path(control).parent.exists()

"""Golden runs: a goal in, the whole journal and the report out, compared with what was recorded.

`pytest tests/flows/test_golden_runs.py --record` records them anew; the diff is the review.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from simulated import Stage

from agent.contract import Contract
from agent.documents import Event
from agent.runs import command
from tools.record import Json, Record
from tools.tool import Call

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


class Scene(Record):
    """`goal.yaml`: what is asked, in which world, and who answers what."""

    goal: str
    world: str = "steady"
    seed: int = 0
    before: Contract | None = None
    """The goal of a run that came before; it is not recorded."""
    contract: Contract
    accept: bool = False
    """The plan's envelope is accepted beforehand."""
    answer: bool | None = None
    """What whoever is asked says: the person at the door, and bob where they may not."""


def scene(name: str) -> Scene:
    given = yaml.safe_load((GOLDEN / name / "goal.yaml").read_text(encoding="utf-8"))
    return Scene.model_validate_json(json.dumps(given))


def played(name: str, folder: Path) -> dict[str, str]:
    """The journal and the report of the scene, without what chance or the machine put into them."""
    told = scene(name)
    stage = Stage(folder, told.before or told.contract, world=told.world, seed=told.seed)
    if told.before is not None:
        stage.ended()
        stage.brain.contract = told.contract
    with stage.session() as session:
        request = stage.request(accept=told.accept).model_copy(update={"text": told.goal})
        document = session.drive(session.start(request), ask=lambda _: told.answer)
        if document.run.status == "waiting" and told.answer is not None:
            session.answer(document.run.id, approve=told.answer, who="bob")
            document = session.drive(document.run.id)
        events = list(session.events(document.run.id))
        tell = plainly(stage, [line.id for line in session.runs().runs], events)
        lines = [{"seq": e.seq, "kind": e.kind, "body": rounded(anybody(e.body))} for e in events]
        journal = "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)
    report = (stage.settings.home / "runs" / document.run.id / "report.md").read_text(encoding="utf-8")
    return {"journal.jsonl": tell(journal), "report.md": tell(report)}


def plainly(stage: Stage, runs: Sequence[str], events: Sequence[Event]) -> Callable[[str], str]:
    """Takes out what chance and this machine put in: ids of runs (newest first) and what they are part of, folders."""
    jobs = {e.target: "job:" + e.token.partition("/")[2] for e in stage.calls("jobs.submit")}
    calls = [Call.model_validate(e.body["call"]) for e in events if e.kind == "verdict"]
    words = {c.digest: f"digest of {c.step}/{c.attempt}" for c in calls}
    words |= {str(e.body["digest"]): f"digest of {e.body['id']}" for e in events if e.kind == "asked"}
    words |= {str(e.body["policies_digest"]): "digest of the policies" for e in events if e.kind == "plan"}
    words |= {command(stage.settings): "GOALKEEPER", str(stage.folder): "FOLDER"}
    words |= {run: "RUN" if number == 0 else f"RUN-BEFORE-{number}" for number, run in enumerate(runs)}

    def tell(text: str) -> str:
        for word, plain in words.items():
            text = text.replace(word, plain)
        return re.sub(r"sim-job-\d+", lambda m: jobs.get(m[0], m[0]), text)

    return tell


def anybody(body: dict[str, object]) -> dict[str, object]:
    """Whatever the number of the person is on this machine."""
    return body | {"uid": 0} if isinstance(body.get("uid"), int) else body


def rounded(value: Any) -> Any:
    """Numbers to twelve digits: the last bits of a logarithm are the machine's."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_word_for_word_what_was_recorded(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    made = played(name, tmp_path)
    if request.config.getoption("--record", default=False):
        for file, text in made.items():
            (GOLDEN / name / file).write_text(text, encoding="utf-8")
    for file, text in made.items():
        recorded = (GOLDEN / name / file).read_text(encoding="utf-8")
        assert text.splitlines() == recorded.splitlines(), f"{name}/{file}: look at it, then --record"


def test_a_run_is_the_same_whenever_it_is_played(tmp_path: Path) -> None:
    first, again = (played(NAMES[0], tmp_path / where) for where in ("a", "b"))
    assert first == again


def test_every_scene_says_what_it_shows() -> None:
    shown = {name: _ending(name) for name in NAMES}
    assert shown == {
        "met-with-canary": (0, "done", 0),
        "out-of-reach": (1, "done", 1),
        "production-approved": (0, "done", 0),
        "rolled-back": (1, "done", 1),
        "searched-on": (0, "done", 1),
    }


def _ending(name: str) -> tuple[int, str, int]:
    """(exit code, status, revisions) of the recorded run."""
    lines: list[Json] = [json.loads(line) for line in (GOLDEN / name / "journal.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["kind"] == "finish"
    report = lines[-1]["body"]["report"]
    return report["exit_code"], report["status"], len(report["revisions"])

"""Questions about a run that was carried out: what is answered is what its report and its journal say."""

from __future__ import annotations

import re
from pathlib import Path

from simulated import ACCURACY, LATENCY, Stage, classify, priced

from agent.wording import money, number


def test_answers_about_a_run_are_its_record(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, LATENCY, rollout="canary"), world=priced(usd_per_hour=1.0))
    session, document = stage.run(accept=True)
    run, lines = document.run, {e.seq: e.kind for e in session.events(document.run.id)}

    def asked(question: str) -> str:
        found = session.ask_about(run.id, question)
        assert found is not None, question
        assert {int(n) for n in re.findall(r"\[#(\d+)\]", found.text)} <= set(lines)
        return found.text

    assert f"spent so far: {money(run.spent.usd)} [#" in asked("what has it cost, what will it cost?")
    assert f"至今花费：{money(run.spent.usd)} [#" in asked("它花了多少钱？")
    (accuracy,) = [c for c in run.clauses if c.metric == "accuracy"]
    assert accuracy.evidence is not None
    told = asked("what accuracy did it reach?")
    assert f"MET; measured {number(accuracy.measured)}" in told
    assert f"[#{accuracy.evidence.id.rpartition('#')[2]}]" in told
    (kept,) = run.resources.kept
    assert kept.stop in asked("how do I stop it?")
    assert "1 of 3" in asked("how often was the holdout opened?")
    assert "tune-random-forest" not in asked("which models did you try?")
    assert session.ask_about(run.id, "tell me a joke") is None

"""A good model, scripted: it answers what a request asks, known by its prompt, and never by when it is asked.

What a goal means it takes from the corpora where people have judged the text, else from the embedded grammar; plans,
causes and answers from the facts that stand in the request. So every goal can be asked, in every form of answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from agent.brain.llm.understanding.said import Said, said_of
from agent.brain.protocol import Context
from agent.brain.rules.brain import Rules
from agent.contract import Contract, Refusal
from agent.goal import Goal
from evals.model_server.asked import Asked
from evals.model_server.replies import Answers, Message, Reply
from prompts.load import Prompt, load, names
from tools.errors import Cause
from tools.record import Json

NOON = 1_790_000_000.0
"""When the goals are asked: clock times are computed elsewhere, so it does not matter."""
_OPEN = re.compile(r"\b(why|fix|if .* allows?|cheapest|so slow)\b|为什么|修复|如果.*允许|最便宜", re.IGNORECASE)
"""What only facts can decide."""
_SIGNS: tuple[tuple[str, Cause], ...] = (
    ("cuda out of memory", "out_of_memory_device"),
    ("out of memory", "out_of_memory_host"),
    ("no space left", "disk_full"),
    ("no module named", "missing_dependency"),
    ("nccl", "nccl"),
    ("preempt", "preempted"),
    ("permission denied", "permission"),
    ("connection refused", "network"),
    ("loss is nan", "diverged"),
    ("no such file", "data_missing"),
)
_NUMBERED = re.compile(r"^(\d+)(?:,[^:«]*)?[^:«]*: «(.*)»", re.MULTILINE)
_FACT = re.compile(r"^(f\d+): (.*?) = ", re.MULTILINE)


class Scripted:
    """The model: `ModelServer(Scripted())`."""

    def __init__(self, meanings: Mapping[str, Contract] | None = None) -> None:
        """`meanings`: what texts mean, beside what the corpora know."""
        self._meanings = dict(meanings or {})
        self.answers: dict[str, Callable[[dict[str, str]], Json]] = {
            "understand": self._understood,
            "propose": _proposed,
            "diagnose": _diagnosed,
            "answer": _answered,
        }

    def __call__(self, asked: Asked) -> Reply:
        prompt = prompt_of(asked)
        if prompt is None or prompt.name not in self.answers:
            return Message(content="I do not know what is asked.")
        return Answers(self.answers[prompt.name](filled_in(prompt, asked.texts("user")[0])))

    def _understood(self, told: dict[str, str]) -> Json:
        goal, earlier = json.loads(told["goal"]), json.loads(told["earlier"]) if told.get("earlier") else []
        text = " ".join([*map(str, earlier or ()), str(goal)])
        meant = self._meanings.get(text) or _judged().get(text)
        if meant is None:
            read = Rules().understand(Goal.of(text, source="cli:model"), Context(now=NOON))
            if isinstance(read, Refusal):
                return Said(kind="not_ours", open=False, parts=(), settings=(), unclear=()).model_dump(by_alias=True)
            meant = read if isinstance(read, Contract) else read.contract
        said = said_of(meant.model_copy(update={"questions": (), "assumptions": ()}), open_=bool(_OPEN.search(text)))
        return said.model_dump(mode="json", by_alias=True)


def prompt_of(asked: Asked) -> Prompt | None:
    """The prompt that a request was made from, by its constant text."""
    system = "\n".join(asked.texts("system", "developer"))
    return next((p for name in names() if (p := load(name)).system in system), None)


def filled_in(prompt: Prompt, text: str) -> dict[str, str]:
    """What stands at the places of a prompt. ValueError when the text is not made from it."""
    found = re.search(_pattern(prompt), text, re.DOTALL)
    if found is None:
        raise ValueError(f"no text of the prompt {prompt.title}: {text[:200]!r}")
    return found.groupdict()


@cache
def _pattern(prompt: Prompt) -> str:
    parts, made = re.split(r"\{\{\s*(\w+)\s*\}\}", prompt.user), ""
    for number, part in enumerate(parts):
        again = f"(?P={part})" if number % 2 and f"(?P<{part}>" in made else f"(?P<{part}>.*?)"
        made += again if number % 2 else re.escape(part)
    return f"^{made}" + (r"(?=\n\n|\Z)" if parts[-1] == "" else "")


def _proposed(told: dict[str, str]) -> Json:
    """The usual plan; to mend a part, what its cause asks for."""
    steps: list[Json] = []
    for cause in re.findall(r"mend the cause (\w+)", told["change"]):
        steps += _mended(cause, told["facts"])
    return {"kind": "steps", "reads": [], "steps": steps or [{"tool": "usual_plan"}]}


def _mended(cause: str, facts: str) -> list[Json]:
    serving = re.search(r"^endpoint (\S+) version (\S+): .*traffic_percent=100 replicas=(\d+)", facts, re.MULTILINE)
    if serving is None:
        return []
    endpoint, _, replicas = serving.groups()
    monitor = {"tool": "monitor_endpoint", "endpoint": endpoint}
    if cause == "capacity":
        return [{"tool": "scale_endpoint", "endpoint": endpoint, "replicas": 2 * int(replicas)}, monitor]
    before = re.search(rf"^endpoint {re.escape(endpoint)}: served before: version (\S+)", facts, re.MULTILINE)
    if before is None or before[1] == "unknown":
        return []
    return [{"tool": "rollback_endpoint", "endpoint": endpoint, "to": before[1]}, monitor]


def _diagnosed(told: dict[str, str]) -> Json:
    """The cause whose sign stands in a line, with that line's number."""
    for number, form in _NUMBERED.findall(told["lines"]):
        for sign, cause in _SIGNS:
            if sign in form.lower():
                return {"cause": cause, "lines": [int(number)]}
    return {"cause": "unknown", "lines": []}


def _answered(told: dict[str, str]) -> Json:
    """The first facts, one a sentence."""
    facts = _FACT.findall(told["facts"])[:3]
    says = {"English": "It is known: {place}.", "Chinese": "已知：{place}。"}[told["language"]]
    return {"sentences": [says.replace("place", id_) for id_, _ in facts]}


@cache
def _judged() -> Mapping[str, Contract]:
    """Texts of the corpora that people have judged whole, with what they mean."""
    found = {}
    for file in sorted((Path(__file__).parent / "corpus").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if (contract := _contract(case)) is not None:
                found[str(case["text"])] = contract
    return found


def _contract(case: Json) -> Contract | None:
    """None where people are to be asked, or the corpus speaks of what no contract holds."""
    if not case.get("contract") or case.get("questions"):
        return None
    told = {k: v for k, v in case["contract"].items() if v is not None}
    try:
        return Contract.model_validate(told | {"parts": [_part(p) for p in told.get("parts", ())]})
    except (ValueError, TypeError):  # `*`: a field about which the corpus does not care
        return None


def _part(told: Json) -> Json:
    """A part with the names that a corpus leaves to whoever understands it."""
    told = {k: v for k, v in told.items() if v != "*" or k == "name"}
    name = told.get("name", "*")
    clauses = [{"id": str(n), "where": "holdout", **c} for n, c in enumerate(told.get("clauses", ()))]
    return told | {"name": told.get("target") or "model" if name == "*" else name, "clauses": clauses}

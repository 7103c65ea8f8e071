"""The parts of the READMEs that are made from the product. `python tests/architecture/readme_parts.py` writes them.

A part stands between `<!-- made: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.request import Request

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CHINESE = ROOT / "README.zh.md"
POLICIES = ROOT / "policies" / "README.md"
PAGES = (README, CHINESE)
MADE = (*PAGES, POLICIES)
PART = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@cache
def made(part: str) -> str:
    """What belongs between the marks of that part; KeyError when there is no such part."""
    return {"help": _help, "tools": _tools, "refusals": _refusals, "endorsements": _endorsements}[part]()


def parts(readme: str) -> dict[str, str]:
    """Part → what the README holds of it."""
    return {name: body for _, name, body, _ in PART.findall(readme)}


def _help() -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "agent", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return f"```text\n{shown.strip()}\n```\n"


def _tools() -> str:
    from tools.catalogue import TOOLS

    rows = [f"| `{tool.name}` | {tool.effect.value} | {tool.does} |" for tool in TOOLS]
    return "\n".join(["| tool | effect | does |", "|---|---|---|", *rows]) + "\n"


def _refusals() -> str:
    """What people are told when a policy objects: the first case of each that fires it, in every language."""
    from policies.case import read_cases
    from policies.folder import read_folder
    from policies.judge import CedarPolicies
    from policies.load import load_policies
    from tools.language import speaking

    policies = load_policies()
    assert isinstance(policies, CedarPolicies)
    rows: dict[str, str] = {}
    for file, text in read_folder().cases()[0].items():
        for case in read_cases(text, file, policies.limits)[0]:
            if case.ruling == "approved" or case.policy in rows:
                continue
            judges = CedarPolicies(policies.texts, case.limits)
            told = []
            for language in ("en", "zh"):
                with speaking(language):
                    decision = judges.judge(_illustrated(case.request))
                told += [f"{f.sentence}; {f.fix}" for f in decision.findings if f.policy == case.policy]
            who = policies.limits.people.who(case.policy)
            answers = f"{who.role}{', not the requester' if who.other_than_requester else ''}"
            ruling = f"asks {answers}" if case.ruling == "held" else "refuses"
            rows[case.policy] = f"| `{case.policy}` | {ruling} | {'<br>'.join(told).replace('|', chr(92) + '|')} |"
    return "\n".join(["| policy | ruling | what people are told |", "|---|---|---|", *rows.values()]) + "\n"


def _illustrated(request: Request) -> Request:
    """The case with a name for what a case leaves open, so that its sentence reads as it would."""
    facts = request.facts
    usual = {"target": "shop", "locations": ("/data/tickets.csv",), "gpu": "a10g"}
    found = {name: value for name, value in usual.items() if getattr(facts, name) in (None, ())}
    return request.model_copy(update={"facts": facts.model_copy(update=found)})


def _endorsements() -> str:
    from agent.judged.labels import ENDORSEMENTS

    rows = [f"| {e.lifts} | {'the requester' if e.stated else 'an inventory'} | {e.inventory} |" for e in ENDORSEMENTS]
    return "\n".join(["| what | lifted by | what it must match |", "|---|---|---|", *rows]) + "\n"


def main() -> None:
    sys.path.insert(0, str(ROOT))
    for page in MADE:
        text = page.read_text(encoding="utf-8")
        page.write_text(PART.sub(lambda found: found[1] + made(found[2]) + found[4], text), encoding="utf-8")


if __name__ == "__main__":
    main()

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

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CHINESE = ROOT / "README.zh.md"
PAGES = (README, CHINESE)
PART = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@cache
def made(part: str) -> str:
    """What belongs between the marks of that part; KeyError when there is no such part."""
    return {"help": _help, "tools": _tools}[part]()


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


def main() -> None:
    sys.path.insert(0, str(ROOT))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(PART.sub(lambda found: found[1] + made(found[2]) + found[4], text), encoding="utf-8")


if __name__ == "__main__":
    main()

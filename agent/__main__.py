"""Where the process starts: makes sure the code is the installed one, then hands over to the command line.

Imports nothing heavy, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

NAMES = ("agent", "tools", "policies", "prompts")


def main() -> int:
    """Run the command line with this process's arguments; its exit code."""
    if intruder := misplaced(Path(__file__).resolve().parent.parent):
        print(f"goalkeeper: {intruder}", file=sys.stderr)
        return 5
    os.environ.setdefault("LANGSMITH_TRACING", "false")
    from agent.doors.cli.app import execute

    return execute(sys.argv[1:])


def misplaced(root: Path) -> str | None:
    """One sentence when one of our packages would be imported from outside `root`; None when all is well."""
    for name in NAMES:
        spec = find_spec(name)
        found = Path(spec.origin).resolve().parent if spec is not None and spec.origin else None
        if found != root / name:
            return (
                f"refusing to start, because the package '{name}' would come from {found or 'nowhere'} "
                f"instead of {root / name}: remove that folder from PYTHONPATH, or start from another folder."
            )
    return None


if __name__ == "__main__":
    sys.exit(main())

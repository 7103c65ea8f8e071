"""Judges one window of served values against the reference of its model.

Run as `python -I -m tools.recipes.drift`: `DriftArgs` as JSON on standard input, `Shifts` on standard output.
"""

from __future__ import annotations

import sys

from pydantic import ValidationError

from tools.recipes.drift_records import DriftArgs
from tools.recipes.drift_statistics import shifts


def main() -> int:
    try:
        args = DriftArgs.model_validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(shifts(args).model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

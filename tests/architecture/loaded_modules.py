"""Runs the command line with the given arguments and prints to stderr, last, the top-level modules it has loaded."""

from __future__ import annotations

import json
import sys

from agent.__main__ import main

if __name__ == "__main__":
    sys.argv[0] = "goalkeeper"
    code: object = 0
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0 if code is None else 1)

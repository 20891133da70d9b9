"""What a script was given, or how to call it."""

from __future__ import annotations

import sys


def arguments(script: str, names: str) -> list[str]:
    """As many as `names` has; `NAME...` is one or more. Otherwise one line that shows them, and exit status 2."""
    given, wanted = sys.argv[1:], names.split()
    if len(given) < len(wanted) or (len(given) > len(wanted) and not names.endswith("...")):
        print(f"usage: python -m benchmarks.data_rules.{script} {names}", file=sys.stderr)
        raise SystemExit(2)
    return given

"""`python -m benchmarks NAME`: run benchmarks/NAME.py; the last line is its result as JSON."""

from __future__ import annotations

import importlib
import sys

NAMES = ("index", "plan", "dedup", "scoring", "synthesis", "evaluation", "repair", "training", "training_gpu", "start")


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m benchmarks NAME; NAME is one of: {', '.join(NAMES)}")
    result = importlib.import_module(f"benchmarks.{sys.argv[1]}").run()
    print(f"written to {result.save()}")
    print(result.line())


if __name__ == "__main__":
    main()

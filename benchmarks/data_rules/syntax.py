"""How often good code is refused, and bad code taken: `python -m benchmarks.data_rules.syntax FOLDER`.

The folder holds LANGUAGE/good and LANGUAGE/bad, whose files somebody else has judged: a compiler, or its own tests.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.data_rules.arguments import arguments
from snowcoder.synthesis.syntax import parses


def main(folder: Path) -> None:
    print(f"{'language':12}{'good':>6}{'refused ‰':>11}{'bad':>6}{'taken ‰':>9}{'µs a file':>11}")
    for path in sorted(folder.iterdir()):
        start = time.process_time()
        good, refused = _judged(path, "good", False)
        bad, kept = _judged(path, "bad", True)
        spent = (time.process_time() - start) / max(1, good + bad) * 1e6
        print(f"{path.name:12}{good:6}{1000 * refused / max(1, good):11.0f}", end="")
        print(f"{bad:6}{1000 * kept / max(1, bad):9.0f}{spent:11.0f}")


def _judged(folder: Path, kind: str, wrong: bool) -> tuple[int, int]:
    """How many files there are, and of how many the answer is the wrong one."""
    files = sorted((folder / kind).glob("*"))
    answers = [parses(file.read_text(errors="replace"), folder.name, file.suffix[1:]) for file in files]
    return len(files), sum(answer is wrong for answer in answers)


if __name__ == "__main__":
    main(Path(*arguments("syntax", "FOLDER")))

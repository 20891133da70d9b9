"""The folders of conf/ and what their files say of themselves."""

from __future__ import annotations

from itertools import takewhile

from snowcoder.config.compose import conf_file
from snowcoder.readable import first_sentence

# Groups whose files set keys of other names than their own.
OTHERS = {
    "recipe": "What a whole run is made by: chooses among all groups and sets values.",
    "phase": "A file is a phase, phases.NAME. phase=phase2, or phase=[phase1,phase2], is what `train` executes.",
    "encoder": "The annotator's encoder, annotator.encoder.",
}


def meaning_of(group: str, choice: str) -> str:
    """The first sentence of the comment at the head of a file."""
    lines = conf_file(f"{group}/{choice}.yaml").read_text().splitlines()
    head = takewhile(lambda line: line.startswith("#"), lines)
    return first_sentence(" ".join(line.lstrip("# ") for line in head if "@package" not in line))

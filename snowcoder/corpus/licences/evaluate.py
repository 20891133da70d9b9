"""Precision and recall on licence files, descriptions of packages and tags, made up in the manner of real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snowcoder.config.corpus_schema import LicencePolicyConfig
from snowcoder.corpus import labelled
from snowcoder.corpus.document import Document
from snowcoder.corpus.labelled import RuleScore, Tally
from snowcoder.corpus.licences.declared import is_metadata, tagged_licence
from snowcoder.corpus.licences.policy import LicencePolicy
from snowcoder.corpus.licences.tree import LicenceTree, is_licence_text

_POLICY = LicencePolicyConfig(allowed="permissive", also_allowed=[], unlicensed="drop", opt_out=None)


def evaluate(*halves: str) -> dict[str, RuleScore]:
    """By where the licence stands, on the halves named, or both. What is to be found are licences to refuse."""
    tally, policy, texts = Tally(), LicencePolicy(_POLICY), _texts()
    for row in labelled.read("licences", *halves):
        document = Document("x = 1\n", "owner/name", "src/a.py", "Python", _licences(row["files"], texts))
        tally.add(row["kind"], policy.fault(document) is not None, not row["permissive"])
    return tally.scores()


def _licences(files: dict[str, str], texts: dict[str, str]) -> tuple[str, ...]:
    """Those of src/a.py in a repository of these files; {MIT} in them stands for that licence's text."""
    tree = LicenceTree()
    for path, text in files.items():
        for name, licence in texts.items():
            text = text.replace(f"{{{name}}}", licence)
        if is_licence_text(path) or is_metadata(path):
            tree.add(path, text)
        elif tag := tagged_licence(text):
            return (tag,)
    return tree.of("src/a.py")


def _texts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(labelled.__file__).with_name("licences.texts.json").read_text())
    return found

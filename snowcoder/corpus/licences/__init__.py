"""Licences as SPDX identifiers: of a repository's files by its licence texts, and the policy on what may be used."""

from snowcoder.corpus.licences.declared import is_metadata, metadata_licence, tagged_licence
from snowcoder.corpus.licences.policy import LicencePolicy
from snowcoder.corpus.licences.restrictions import UNKNOWN
from snowcoder.corpus.licences.texts import detect_licences
from snowcoder.corpus.licences.tree import LicenceTree, is_licence_text

__all__ = [
    "UNKNOWN",
    "LicencePolicy",
    "LicenceTree",
    "detect_licences",
    "is_licence_text",
    "is_metadata",
    "metadata_licence",
    "tagged_licence",
]

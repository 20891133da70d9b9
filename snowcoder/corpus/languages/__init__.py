"""A file's language as GitHub's Linguist names it, by go-enry, which StarCoder2 used.

The name decides where it leaves one language; else the content does. Dialects count as their language: TSX as
TypeScript, PL/pgSQL as SQL.
"""

from snowcoder.corpus.languages.detect import detect
from snowcoder.corpus.languages.evaluate import evaluate
from snowcoder.corpus.languages.names import PAPER_LANGUAGES, known_language, language_named, languages_of_name

__all__ = ["PAPER_LANGUAGES", "detect", "evaluate", "known_language", "language_named", "languages_of_name"]

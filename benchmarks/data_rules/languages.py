"""How often `snowcoder.corpus.languages` is wrong on real code: `python -m benchmarks.data_rules.languages SOURCE...`.

A source is a folder whose subfolders are named after languages, as Linguist's `samples/` and checkouts of repositories
in one language, or a shard. In a shard the truth is the column `language`, which its maker set by extension; that of
headers, which no extension tells, is what one of tree-sitter's grammars takes and the other does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import tree_sitter_c
import tree_sitter_cpp
from tree_sitter import Language, Parser

from benchmarks.data_rules.arguments import arguments
from snowcoder.config.schema import ColumnsConfig
from snowcoder.corpus.languages import detect, language_named
from snowcoder.storage.shards import SUFFIXES, read_shard

_COLUMNS = {"content": "content", "repository": "repo_name", "path": "path", "language": "language"}
_COLUMNS |= {"licence": "detected_licenses", "file_paths": "file_paths", "file_lengths": "file_lengths"}
_C, _CPP = (Parser(Language(module.language())) for module in (tree_sitter_c, tree_sitter_cpp))
_LIMIT = 10 << 20  # bytes of a file
_SHOWN = 12  # confusions

File = tuple[str, str, str]  # path, content, language


def main(sources: list[str]) -> None:
    files = [file for source in map(Path, sources) for file in (_folder(source) if source.is_dir() else _shard(source))]
    confused = Counter((truth, detect(path, content) or "none") for path, content, truth in dict.fromkeys(files))
    total = Counter[str]()
    for (truth, _), count in confused.items():
        total[truth] += count
    print(f"{'language':<24}{'files':>8}{'missed':>9}{'falsely so':>12}   of 1,000 files of the language")
    for language, count in total.most_common():
        missed = sum(n for (truth, found), n in confused.items() if truth == language != found)
        falsely = sum(n for (truth, found), n in confused.items() if truth != language == found)
        print(f"{language:<24}{count:>8,}{1000 * missed / count:>9.1f}{1000 * falsely / count:>12.1f}")
    wrong = Counter({pair: count for pair, count in confused.items() if pair[0] != pair[1]})
    print(f"{total.total():,} files, {wrong.total():,} wrong")
    for (truth, found), count in wrong.most_common(_SHOWN):
        print(f"{count:>6,} {truth} called {found}")


def _folder(root: Path) -> Iterator[File]:
    for path in sorted(root.rglob("*")):
        name, *inner = path.relative_to(root).parts
        if inner and path.is_file() and not path.is_symlink():
            content = path.read_bytes().decode(errors="replace")
            yield "/".join(inner), content, language_named(name) or name


def _shard(path: Path) -> Iterator[File]:
    if not path.name.endswith(SUFFIXES):
        raise SystemExit(f"{path}: neither a folder nor a shard")
    for batch in read_shard(path, path.name, ColumnsConfig(**_COLUMNS), _LIMIT):
        for content, name, column in zip(batch.contents, batch.paths, batch.languages, strict=True):
            truth = _by_parsers(content) if name and name.endswith(".h") else column
            if name and truth:
                yield name, content, truth


def _by_parsers(content: str) -> str | None:
    """None where both take it, or neither does."""
    c, cpp = (not parser.parse(content.encode()).root_node.has_error for parser in (_C, _CPP))
    return None if c == cpp else "C" if c else "C++"


if __name__ == "__main__":
    main(arguments("languages", "SOURCE..."))

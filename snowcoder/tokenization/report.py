"""How well a tokenizer packs each language, on text it was not trained on, beside a public one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from snowcoder import readable
from snowcoder.config.schema import TokenizerConfig
from snowcoder.errors import UserError
from snowcoder.storage.digest import digest_bytes
from snowcoder.tokenization.load import FILE, Tokenizer
from snowcoder.tokenization.training_text import TrainingText


@dataclass(frozen=True)
class Peer:
    """A public tokenizer to compare with."""

    name: str
    backend: tokenizers.Tokenizer
    digest: str  # of its tokenizer.json


def load_peer(folder: Path) -> Peer:
    """The tokenizer of `tokenizer.compare_with`. Raises UserError where there is none."""
    try:
        data = (folder / FILE).read_bytes()
        backend = tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:  # OSError, or what tokenizers raises: a bare Exception
        raise UserError(f"tokenizer.compare_with={folder}: {error}; give a folder with a {FILE}, or null") from None
    backend.encode_special_tokens = True
    return Peer(folder.resolve().name, backend, digest_bytes(data))


def measure(settings: TokenizerConfig, text: TrainingText, tokenizer: Tokenizer, peer: Peer | None) -> dict[str, Any]:
    """The report as JSON: what the tokenizer was trained on, and how it packs the rest."""
    return {
        "algorithm": settings.algorithm,
        "vocab_size": tokenizer.vocab_size,
        "counts": dict(text.counts),
        "repositories": len(text.repositories - {""}),
        "compared_with": peer and {"name": peer.name, "vocab_size": peer.backend.get_vocab_size()},
        "languages": _by_language(text.held_out, tokenizer.backend, peer),
    }


def _by_language(texts: dict[str, list[str]], ours: tokenizers.Tokenizer, peer: Peer | None) -> list[dict[str, Any]]:
    """Documents, bytes and tokens of each language, most bytes first."""
    rows = []
    for language, documents in texts.items():
        row = {
            "language": language,
            "documents": len(documents),
            "bytes": sum(len(text.encode()) for text in documents),
            "tokens": _tokens(ours, documents),
        }
        rows.append(row if peer is None else row | {"peer_tokens": _tokens(peer.backend, documents)})
    return sorted(rows, key=lambda row: (-row["bytes"], row["language"]))


def _tokens(tokenizer: tokenizers.Tokenizer, documents: list[str]) -> int:
    encodings = tokenizer.encode_batch_fast(documents, add_special_tokens=False)
    return sum(len(encoding) for encoding in encodings)


def to_markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    rows, peer, counts = report["languages"], report["compared_with"], report["counts"]
    columns = ["tokens", *(["peer_tokens"] if peer else [])]
    titles = ["language", "documents", "text", "this tokenizer", *([peer["name"]] if peer else [])]
    table = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for row in [*rows, _total(rows, columns)]:
        packed = [f"{row['bytes'] / max(row[column], 1):.3f}" for column in columns]
        sizes = [f"{row['documents']:,}", readable.size(row["bytes"])]
        table.append([row["language"], *sizes, *packed])
    lines = [
        f"# Tokenizer: {report['algorithm']}, {report['vocab_size']:,} entries",
        "",
        f"Trained on {readable.size(counts['bytes_trained_on'])} of source code, "
        f"{counts['documents_trained_on']:,} documents of {report['repositories']:,} repositories "
        "(sources.txt).",
        "Bytes per token (more is better) on documents it was not trained on. They come from the same",
        "shards, so they are closer to its training text than to that of a public tokenizer.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in table),
    ]
    if peer:
        lines += ["", f"{peer['name']} has {peer['vocab_size']:,} entries."]
    return "\n".join(lines) + "\n"


def _total(rows: list[dict[str, Any]], columns: list[str]) -> dict[str, Any]:
    names = ["documents", "bytes", *columns]
    return {"language": "all", **{name: sum(row[name] for row in rows) for name in names}}

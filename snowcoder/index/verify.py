"""`snowcoder index verify`: read an index back and check all that its manifest claims."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, UserError
from snowcoder.index.format import Idx, open_bin, open_idx
from snowcoder.index.layout import content_of, files_of_documents
from snowcoder.index.ledger import total
from snowcoder.index.writer import SPLITS
from snowcoder.lineage.manifest import NAME, Manifest, find_manifest
from snowcoder.progress import bar
from snowcoder.tokenization.load import Tokenizer, load_tokenizer
from snowcoder.tokenization.special import FILE_SEP

_COLUMNS = ["content_hash", "tokens", "bytes", "files"]
_CHUNK = 1 << 24  # ids looked at together
_DECODED = 16  # documents of each shard and split that are decoded and hashed


def run(config: Config) -> None:
    """Check every source that is indexed. Raises OperationError with all problems found."""
    tokenizer = load_tokenizer(config.tokenizer.folder)
    problems: list[str] = []
    for source in config.index.sources:
        folder = Path(config.index.dir) / source
        manifest = find_manifest(folder)
        if manifest is None:
            print(f"index of {source}: not built")
            continue
        found = list(check_source(folder, manifest, tokenizer))
        documents = sum(manifest.counts[split]["documents"] for split in SPLITS)
        print(f"index of {source}: {documents:,} documents, {len(found) or 'no'} problems")
        problems += found
    if not any(find_manifest(Path(config.index.dir) / source) for source in config.index.sources):
        raise UserError(f"nothing is indexed in {config.index.dir}: run `snowcoder index build` first")
    if problems:
        raise OperationError("the index is damaged:\n" + "\n".join(f"  {p}" for p in problems))


def check_source(folder: Path, manifest: Manifest, tokenizer: Tokenizer) -> Iterator[str]:
    """Everything wrong with one source, as sentences that name the file."""
    if manifest.inputs["tokenizer"] != tokenizer.digest:
        yield f"{folder}: made with another tokenizer than {tokenizer.folder}"
        return
    if "files" not in manifest.counts["train"]:
        yield f"{folder}: made by a version that did not count files: run `snowcoder index build`"
        return
    yield from manifest.check_files(folder, digests=True)
    shards, totals = manifest.counts["shards"], {split: manifest.counts[split] for split in SPLITS}
    if totals != {split: total(shard[split] for shard in shards) for split in SPLITS}:
        yield f"{folder / NAME}: its totals are not the sums of its shards"
    tokens = sum(count["tokens"] for count in totals.values())
    with bar(f"verify {folder.name}", tokens, "tok") as progress:
        for shard, split in itertools.product(shards, SPLITS):
            if shard[split]["documents"]:
                yield from check_shard(folder / split / shard["name"], shard[split], tokenizer)
                progress.update(shard[split]["tokens"])


def check_shard(prefix: Path, expected: dict[str, int], tokenizer: Tokenizer) -> Iterator[str]:
    """Problems of one .bin, .idx and sidecar among each other and with the counts `expected`."""
    try:
        idx = open_idx(prefix.with_suffix(".idx"))
        ids = open_bin(prefix.with_suffix(".bin"), idx.dtype)
        rows = pq.read_table(prefix.with_suffix(".docs.parquet"), columns=_COLUMNS)
    except (OperationError, OSError, pa.ArrowException) as error:
        yield f"{prefix}: {error}"
        return
    size = pc.sum(rows["bytes"]).as_py()
    files = int(files_of_documents(rows["files"]).sum())
    found = {"bytes": size, "documents": len(idx.lengths), "files": files, "tokens": len(ids)}
    if found != expected:
        yield f"{prefix}: {found} on disk, {expected} in the manifest"
    if not np.array_equal(rows["tokens"].to_numpy(), idx.lengths):
        yield f"{prefix}.docs.parquet: its rows are not the documents of the .idx"
    elif not _lies_back_to_back(idx, len(ids)):
        yield f"{prefix}.idx: its offsets do not fit its lengths and the .bin"
    else:
        yield from _check_ids(prefix, idx, ids, rows["content_hash"], tokenizer)
        yield from _check_files(prefix, idx, ids, rows["files"], tokenizer)


def _lies_back_to_back(idx: Idx, tokens: int) -> bool:
    ends = np.cumsum(idx.lengths, dtype=np.int64)
    return (
        ends[-1] == tokens
        and np.array_equal(idx.pointers, (ends - idx.lengths) * idx.dtype.itemsize)
        and np.array_equal(idx.document_indices, np.arange(len(ends) + 1))
    )


def _check_ids(prefix: Path, idx: Idx, ids: np.ndarray, hashes: pa.ChunkedArray, tokenizer: Tokenizer) -> Iterator[str]:
    top = max(int(ids[start : start + _CHUNK].max()) for start in range(0, len(ids), _CHUNK))
    if top >= tokenizer.vocab_size:
        yield f"{prefix}.bin: id {top}, the vocabulary has {tokenizer.vocab_size}"
    ends = np.cumsum(idx.lengths, dtype=np.int64) - 1
    if wrong := int(np.count_nonzero(ids[ends] != tokenizer.end_of_text)):
        yield f"{prefix}.bin: {wrong} documents do not end with end of text"
    for row in np.linspace(0, len(ends) - 1, min(_DECODED, len(ends)), dtype=int):
        text = content_of(ids[ends[row] + 1 - idx.lengths[row] : ends[row] + 1], tokenizer)
        if xxhash.xxh3_128_digest(text.encode()) != hashes[row].as_py():
            yield f"{prefix}: document {row} does not decode to the content that was indexed"


def _check_files(
    prefix: Path, idx: Idx, ids: np.ndarray, files: pa.ChunkedArray, tokenizer: Tokenizer
) -> Iterator[str]:
    """Files begin where, and only where, a separator ends: no text has become one."""
    begins = np.cumsum(idx.lengths, dtype=np.int64) - idx.lengths
    told = np.repeat(begins, pc.fill_null(pc.list_value_length(files), 0)) + pc.list_flatten(files).to_numpy()
    separator = tokenizer.special(FILE_SEP)
    chunks = range(0, len(ids), _CHUNK)
    found = np.concatenate([np.flatnonzero(ids[start : start + _CHUNK] == separator) + start + 1 for start in chunks])
    if not np.array_equal(told, found):
        yield f"{prefix}.docs.parquet: its files are not those of the .bin"

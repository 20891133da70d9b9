"""The peer of the index benchmark: JSON lines to .bin/.idx, as Megatron-LM preprocesses data.

Same steps as its tools/preprocess_data.py: one process per partition of the input, each with a pool
of workers that encode one document at a time and an IndexedDatasetBuilder that writes what they
return; then a builder merges the partitions. Hugging Face tokenizers is called directly, which is
faster than its wrapper there.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path

from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder
from tokenizers import Tokenizer

_tokenizer: Tokenizer
_end_of_text: int


def initialize(tokenizer: str, end_of_text: int) -> None:
    global _tokenizer, _end_of_text
    _tokenizer, _end_of_text = Tokenizer.from_file(tokenizer), end_of_text
    _tokenizer.encode_special_tokens = True


def encode(line: str) -> list[int]:
    return [*_tokenizer.encode(json.loads(line)["text"]).ids, _end_of_text]


def process_partition(partition: Path, tokenizer: str, end_of_text: int, dtype: type) -> None:
    builder = IndexedDatasetBuilder(str(partition.with_suffix(".bin")), dtype=dtype)
    initializer = (tokenizer, end_of_text)
    with (
        multiprocessing.Pool(1, initializer=initialize, initargs=initializer) as pool,
        partition.open() as lines,
    ):
        for ids in pool.imap(encode, lines, 32):
            builder.add_document(ids, [len(ids)])
    builder.finalize(str(partition.with_suffix(".idx")))


def merge(partitions: list[Path], output: Path, dtype: type) -> None:
    builder = IndexedDatasetBuilder(str(output.with_suffix(".bin")), dtype=dtype)
    for partition in partitions:
        builder.add_index(str(partition.with_suffix("")))
    builder.finalize(str(output.with_suffix(".idx")))


def main(output: str, tokenizer: str, end_of_text: str, vocab_size: str, *partitions: str) -> None:
    dtype = DType.optimal_dtype(int(vocab_size))
    parts = [Path(partition) for partition in partitions]
    processes = [
        multiprocessing.Process(target=process_partition, args=(part, tokenizer, int(end_of_text), dtype))
        for part in parts
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        sys.exit("a partition failed")
    merge(parts, Path(output), dtype)


if __name__ == "__main__":
    main(*sys.argv[1:])

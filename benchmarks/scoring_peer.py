"""The peer of the scoring benchmark, a transformers pipeline: `python -m benchmarks.scoring_peer FOLDER BATCH`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from transformers import pipeline

from snowcoder.annotation.annotator import Settings
from snowcoder.annotation.sections import sections


def main(folder: Path, batch: int) -> None:
    settings, model = Settings.read(folder / "annotator"), str(folder / "annotator" / "model")
    classify = pipeline("text-classification", model=model, tokenizer=model, device="cpu", function_to_apply="none")
    texts = [
        text for path in sorted((folder / "files").iterdir()) for text in pq.read_table(path)["content"].to_pylist()
    ]
    parts = [sections(text, settings.section_characters) for text in texts]
    flat = [part for each in parts for part in each]
    found = iter(classify(flat, batch_size=batch, truncation=True, max_length=settings.tokens))
    means = [sum(next(found)["score"] for _ in each) / len(each) for each in parts]
    (folder / "peer.json").write_text(json.dumps(means))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

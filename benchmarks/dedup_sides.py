"""One side of the deduplication benchmark: `python -m benchmarks.dedup_sides ours|stock|code FILES WORK`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks.sign import Sign
from snowcoder.config.compose import load_config
from snowcoder.config.corpus_schema import CorpusConfig
from snowcoder.corpus.dedup.find_copies import find_copies
from snowcoder.stages.engine import start_engine
from snowcoder.stages.steps import run_step

CORES = 2


def ours(files: Path, work: Path) -> None:
    corpus: CorpusConfig = load_config([f"corpus.work={work}", f"corpus.engine.workers={CORES}"]).corpus
    start_engine(corpus.engine)
    paths = sorted(files.glob("*.parquet"))
    step = Sign(work / "signed", corpus.near)
    tasks = [step.work_item(path.stem, "", {"path": str(path)}, path.stat().st_size) for path in paths]
    records = run_step(step, "signatures", tasks, corpus.engine)
    _, found = find_copies(corpus, step.folder, records)
    print(found.counts)


def peer(files: Path, work: Path, code_regex: bool) -> None:
    """The four steps of datatrove's example, with its defaults."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config, tasks = MinhashConfig(), len(list(files.glob("*.jsonl")))
    folders = {name: str(work / name) for name in ("signatures", "buckets", "remove", "kept")}
    reader = JsonlReader(str(files), glob_pattern="*.jsonl")
    signature = MinhashDedupSignature(folders["signatures"], config=config)
    if code_regex:
        signature.word_tokenizer = CodeTokenizer()
    for number, (steps, count) in enumerate(
        (
            ([reader, signature], tasks),
            ([MinhashDedupBuckets(folders["signatures"], folders["buckets"], config=config)], config.num_buckets),
            ([MinhashDedupCluster(folders["buckets"], folders["remove"], config=config)], 1),
            ([reader, MinhashDedupFilter(folders["remove"]), JsonlWriter(folders["kept"])], tasks),
        )
    ):
        LocalPipelineExecutor(steps, tasks=count, workers=CORES, logging_dir=str(work / f"logs-{number}")).run()


class CodeTokenizer:
    def word_tokenize(self, text: str) -> list[str]:
        return re.findall(r"[A-Za-z_0-9]+", text)


if __name__ == "__main__":
    side, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    ours(source, target) if side == "ours" else peer(source, target, side == "code")

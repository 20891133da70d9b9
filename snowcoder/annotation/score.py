"""`snowcoder annotate score`: a score for every file of the corpus, a shard at a time on the corpus stage's engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import xxhash

from snowcoder.annotation.annotator import HIGHEST, MODEL, Settings, read_trained
from snowcoder.annotation.encoder import load_classifier, load_tokenizer
from snowcoder.annotation.files import CodeFile, rows_of
from snowcoder.annotation.runtime import Runtime, open_runtime, outputs_of, prepare, resolve
from snowcoder.annotation.scores import SCORES, SUFFIX
from snowcoder.annotation.sections import sections
from snowcoder.annotation.summary import Summary
from snowcoder.config.corpus_schema import EngineConfig
from snowcoder.config.schema import Config
from snowcoder.corpus.engine import start_engine
from snowcoder.corpus.steps import Record, Step, Task, run_step
from snowcoder.errors import OperationError
from snowcoder.index.lock import ALL, build_lock
from snowcoder.lineage.digest import digest_json
from snowcoder.lineage.manifest import Manifest, find_manifest
from snowcoder.storage.atomic import writing_to
from snowcoder.storage.promised import Shard, find_promised_shards
from snowcoder.storage.shards import read_shard
from snowcoder.storage.store import ObjectInfo, open_store

_FILES = 2048  # scored together, so that sections of one length meet


def run(config: Config) -> None:
    """Raises UserError where there is no annotator or no shard."""
    folder, annotator = Path(config.annotator.score.dir), Path(config.annotator.dir)
    trained, runtime = read_trained(annotator), resolve(config.annotator.score.runtime)
    shards = find_promised_shards(open_store(config.index.sources["raw"].shards, config.storage))
    inputs = {"annotator": trained.digest, "raw": digest_json([[*s.info[:2], s.digest or s.info.tag] for s in shards])}
    done = find_manifest(folder)
    if done and done.made_from(inputs, _how(config, runtime)) and not done.check_files(folder):
        print(f"scores: {folder} is up to date")
        return
    begun = time.monotonic()
    with writing_to(folder), build_lock(folder, ALL):
        records = _score(config, shards, inputs["annotator"], runtime)
        manifest = _manifest(records, inputs, _how(config, runtime))
        manifest.write(folder)
    _print_summary(folder, manifest, time.monotonic() - begun)

"""The annotator's model in int8 for OpenVINO, by NNCF's quantization after training.

Ranges of the activations are taken from sections that the annotator has learned from; others show whether the ranking
is still that of the reference.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from scipy.stats import spearmanr

from snowcoder.annotation.annotator import Annotator
from snowcoder.annotation.examples import EXAMPLES
from snowcoder.annotation.last_layer import shorten_last_layer
from snowcoder.storage.atomic import publish_folder

# They take it for not installed, and send nothing to their makers.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402

FOLDER, FILE = "openvino", "model.xml"  # in the annotator's folder
_MADE_FROM = "annotator.txt"  # the digest of its manifest
_CALIBRATION = _CHECKED = 128  # sections
_AGREEMENT = 0.99  # rank correlation, below which int8 is not used


def prepare(folder: Path, digest: str) -> None:
    """Convert the annotator of this digest before workers need it; where int8 ranks otherwise, in floats."""
    if _is_made_from(folder / FOLDER, digest):
        return
    annotator = Annotator(folder, torch.device("cpu"))
    texts = pq.read_table(folder / EXAMPLES, columns=["text"])["text"].to_pylist()
    # In the order of a hash within each source: every n-th one is of all sources.
    chosen = texts[:: max(1, len(texts) // (_CALIBRATION + _CHECKED))]
    model = _convert(annotator)
    smaller = _quantize(model, [_inputs(annotator, text) for text in chosen[::2]])
    if _agrees(annotator, smaller, chosen[1::2][:_CHECKED]):
        model = smaller
    with tempfile.TemporaryDirectory(prefix=f".{FOLDER}-", dir=folder) as partial:
        (Path(partial) / FOLDER).mkdir()
        openvino.save_model(model, Path(partial) / FOLDER / FILE, compress_to_fp16=False)
        (Path(partial) / FOLDER / _MADE_FROM).write_text(digest)
        publish_folder(Path(partial) / FOLDER, folder / FOLDER)


def _is_made_from(folder: Path, digest: str) -> bool:
    """Of the annotator as it is now: it may have been trained again."""
    try:
        return (folder / _MADE_FROM).read_text() == digest
    except FileNotFoundError:
        return False


def _convert(annotator: Annotator) -> Any:
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # of tracing, about what is always so
        model = shorten_last_layer(annotator.model).float().cpu().requires_grad_(False)
        return openvino.convert_model(model, example_input=example)


def _quantize(model: Any, rows: list[dict[str, np.ndarray]]) -> Any:
    import nncf  # late: workers need the rest of this module, and not this

    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(StringIO()):  # its bars
        how = {"model_type": nncf.ModelType.TRANSFORMER, "subset_size": len(rows)}
        return nncf.quantize(model.clone(), nncf.Dataset(rows), **how)


def _agrees(annotator: Annotator, model: Any, texts: list[str]) -> bool:
    compiled = openvino.Core().compile_model(model, "CPU")
    found = [float(compiled(_inputs(annotator, text))[0][0, 0]) for text in texts]
    agreement = spearmanr(found, annotator.outputs(texts)).statistic
    agrees = bool(agreement >= _AGREEMENT)
    what = "is used" if agrees else "is not used, but floating point"
    print(f"scores: int8 {what}; its rank correlation with the annotator, over {len(texts)} sections: {agreement:.4f}")
    return agrees


def _inputs(annotator: Annotator, text: str) -> dict[str, np.ndarray]:
    encoded = annotator.tokenizer([text], truncation=True, max_length=annotator.settings.tokens)
    return {name: np.array(encoded[name], np.int64) for name in ("input_ids", "attention_mask")}

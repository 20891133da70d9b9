"""The fast way from sections to the head's outputs: torch in bf16 on a GPU, OpenVINO in int8 on CPUs.

Both keep the ranking of the reference in `annotator.py`: `make bench NAME=scoring` measures speed and rank correlation.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from snowcoder.annotation.annotator import MODEL
from snowcoder.annotation.encoder import load_classifier
from snowcoder.annotation.last_layer import shorten_last_layer
from snowcoder.annotation.quantize import FILE, FOLDER, openvino
from snowcoder.errors import OperationError

_TOKENS = {"torch": 1 << 16, "openvino": 1 << 12}  # of a batch, with its padding
_MULTIPLE = 16  # to which sections are padded: few shapes, for each of which a CPU's code is prepared anew


class Runtime(Protocol):
    tokens_of_a_batch: int

    def outputs(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The head's output for token ids and their mask, int64 [sections, tokens] -> float32 [sections]."""


def resolve(runtime: str) -> str:
    """What `auto` comes to on this machine."""
    return runtime if runtime != "auto" else "torch" if torch.cuda.is_available() else "openvino"


def open_runtime(folder: Path, runtime: str, threads: int) -> Runtime:
    return OnTorch(folder) if runtime == "torch" else OnOpenVino(folder, threads)


class OnTorch:
    """In bf16 on a GPU of its own, or in fp32 on CPUs."""

    tokens_of_a_batch = _TOKENS["torch"]

    def __init__(self, folder: Path) -> None:
        self.device = own_device()
        self.model = shorten_last_layer(load_classifier(str(folder / MODEL))[1])
        self.model.to(self.device, torch.bfloat16 if self.device.type == "cuda" else torch.float32).eval()

    @torch.inference_mode()
    def outputs(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """int64 [sections, tokens] -> float32 [sections]."""
        inputs = (torch.from_numpy(array).to(self.device, non_blocking=True) for array in (ids, mask))
        found: np.ndarray = self.model(*inputs).logits[:, 0].float().cpu().numpy()
        return found


class OnOpenVino:
    """What is not in int8 is in bf16 where the CPU has instructions for it, else in fp32."""

    tokens_of_a_batch = _TOKENS["openvino"]

    def __init__(self, folder: Path, threads: int) -> None:
        core = openvino.Core()
        precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        how = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        how |= {"ENABLE_CPU_PINNING": False}  # each process would take the same cores
        self.model = core.compile_model(folder / FOLDER / FILE, "CPU", how)

    def outputs(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """int64 [sections, tokens] -> float32 [sections]."""
        found: np.ndarray = self.model({"input_ids": ids, "attention_mask": mask})[0][:, 0]
        return found


def own_device() -> torch.device:
    """A GPU that no other worker of this machine has until this process ends; the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    for number in range(torch.cuda.device_count()):
        path = Path(tempfile.gettempdir()) / f"snowcoder-gpu-{os.getuid()}-{number}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return torch.device("cuda", number)  # the descriptor stays open, and with it the lock
    raise OperationError("more workers than GPUs: set corpus.engine.workers to the number of GPUs of all nodes")


def outputs_of(runtime: Runtime, encoded: list[list[int]], padding: int) -> np.ndarray:
    """The head's output for each section's token ids: float64 [sections]. Those of one length go together."""
    found = np.empty(len(encoded))
    for rows, length in _batches([len(ids) for ids in encoded], runtime.tokens_of_a_batch):
        ids = np.full((len(rows), length), padding, np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(encoded[row])] = encoded[row]
            mask[place, : len(encoded[row])] = 1
        found[rows] = runtime.outputs(ids, mask)
    return found


def _batches(lengths: list[int], tokens: int) -> Iterator[tuple[list[int], int]]:
    """Rows of a batch and the length to which they are padded, the longest first: what has no room fails at once."""
    rows: list[int] = []
    longest = 0
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if rows and (len(rows) + 1) * longest > tokens:
            yield rows, longest
            rows = []
        if not rows:
            longest = -(-lengths[row] // _MULTIPLE) * _MULTIPLE
        rows.append(row)
    if rows:
        yield rows, longest

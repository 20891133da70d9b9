"""A trained annotator: a folder with an encoder and its head, and the score of a file by it.

This is the reference; `annotate score` has a faster way to the same ranking.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from snowcoder.annotation.encoder import load_classifier, tokenize
from snowcoder.annotation.sections import sections
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest, read_manifest
from snowcoder.storage.atomic import write_json

MODEL, SETTINGS = "model", "annotator.json"
HIGHEST = {"classification": 1.0, "regression": 5.0}  # the highest score there is; the lowest is 0
_BATCH = 64


@dataclass(frozen=True)
class Calibration:
    """From the head's output x to a score: sigmoid(scale x + offset), or scale x + offset cut to 0..5."""

    scale: float
    offset: float

    def scores(self, outputs: np.ndarray, head: str) -> np.ndarray:
        """`outputs` float64 [n] -> float64 [n]."""
        line = self.scale * outputs + self.offset
        if head == "classification":
            return 0.5 * (1 + np.tanh(line / 2))  # the sigmoid, without overflow
        return np.clip(line, 0, HIGHEST[head])


@dataclass(frozen=True)
class Settings:
    """annotator.json: what besides the model decides a score."""

    head: Literal["classification", "regression"]
    tokens: int  # of a section that are read
    section_characters: int
    calibration: Calibration
    metrics: dict[str, Any]

    def write(self, folder: Path) -> None:
        write_json(folder / SETTINGS, asdict(self))

    @staticmethod
    def read(folder: Path) -> Settings:
        raw = json.loads((folder / SETTINGS).read_text())
        return Settings(**{**raw, "calibration": Calibration(**raw["calibration"])})

    def file_scores(self, outputs: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """A score for each file, the mean of its sections'.

        `outputs` float64 [sections], `owners` int64 [sections], the number of each one's file -> float32 [files].
        """
        means = np.bincount(owners, outputs) / np.bincount(owners)
        return self.calibration.scores(means, self.head).astype(np.float32)


def read_trained(folder: Path) -> Manifest:
    """The manifest of an annotator's folder. Raises UserError where it is not trained."""
    manifest = read_manifest(folder, "snowcoder annotate train")
    if problems := manifest.check_files(folder):
        raise UserError("\n".join([*problems, "run `snowcoder annotate train` again"]))
    return manifest


class Annotator:
    """In plain torch, on the GPU in bf16 where there is one."""

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        """Raises UserError where `annotate train` has not made the folder."""
        read_trained(folder)
        self.settings = Settings.read(folder)
        self.tokenizer, self.model = load_classifier(str(folder / MODEL))
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device, torch.bfloat16 if self.device.type == "cuda" else torch.float32).eval()

    def score(self, texts: list[str]) -> np.ndarray:
        """A score for each file, 0 to 1 or 0 to 5: float32 [texts]."""
        parts = [sections(text, self.settings.section_characters) for text in texts]
        owners = np.repeat(np.arange(len(texts)), [len(each) for each in parts])
        return self.settings.file_scores(self.outputs([part for each in parts for part in each]), owners)

    @torch.inference_mode()
    def outputs(self, parts: list[str]) -> np.ndarray:
        """The head's output for each section: float64 [parts]. Those of similar length go together."""
        order = sorted(range(len(parts)), key=lambda number: len(parts[number]))
        found = np.empty(len(parts))
        for first in range(0, len(order), _BATCH):
            rows = order[first : first + _BATCH]
            inputs = tokenize(self.tokenizer, [parts[row] for row in rows], self.settings.tokens)
            found[rows] = self.model(**inputs.to(self.device)).logits[:, 0].double().cpu().numpy()
        return found

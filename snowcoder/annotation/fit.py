"""Training the head, and with `encoder.train: all` the encoder, by transformers' Trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import accelerate  # noqa: F401  the Trainer needs it, and asks only once it has begun
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from transformers import EvalPrediction, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from snowcoder.annotation.encoder import tokenize
from snowcoder.annotation.examples import Examples
from snowcoder.annotation.metrics import macro_f1
from snowcoder.config.annotation_schema import AnnotatorConfig
from snowcoder.pretrained.load import quiet
from snowcoder.progress import bar

_ENCODE_BATCH = 64
Inputs = dict[str, Tensor]


def fit(config: AnnotatorConfig, seed: int, tokenizer: Any, model: Any, examples: Examples, folder: Path) -> np.ndarray:
    """Train `model` in place up to its best epoch; returns the head's outputs, float64 [held out].

    A training that was killed goes on from the epochs that lie in `folder`.
    """
    module = FrozenEncoder(model, config.head) if config.encoder.train == "head" else WholeModel(model, config.head)
    inputs = module.inputs(tokenizer, examples.texts, config.encoder.tokens)
    held_out = ExampleDataset(examples, inputs, config.head, examples.held_out)
    trainer = Trainer(
        module,
        _arguments(config, seed, folder),
        data_collator=module.collate,
        train_dataset=ExampleDataset(examples, inputs, config.head, ~examples.held_out),
        eval_dataset=held_out,
        compute_metrics=lambda found: {"macro_f1": _macro_f1(found, config.head)},
    )
    trainer.remove_callback(PrinterCallback)
    with quiet():
        trainer.train(resume_from_checkpoint=_newest(folder))
        return np.asarray(trainer.predict(held_out).predictions, np.float64)


class FrozenEncoder(nn.Module):
    """Only the pooler and the head are trained. What the encoder makes of an example is the same in all epochs.

    So each example is encoded once, and the head sees the hidden state of its first token.
    """

    def __init__(self, model: Any, head: str) -> None:
        super().__init__()
        self.encoder = [model.base_model]  # in a list: not a part of what is trained and saved
        self.pooler, self.classifier, self.head = model.base_model.pooler, model.classifier, head

    def forward(self, features: Tensor, labels: Tensor, weights: Tensor) -> Inputs:
        """All fp32: features [b, width], labels and weights [b] -> loss [] and logits [b]."""
        outputs = self.classifier(self.pooler(features[:, None]))[:, 0]
        return {"loss": _loss(outputs, labels, weights, self.head), "logits": outputs}

    @torch.inference_mode()
    def inputs(self, tokenizer: Any, texts: list[str], tokens: int) -> list[Tensor]:
        """The first token's hidden state of each text, fp32 [width]. Those of similar length go together."""
        encoder = self.encoder[0]
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        encoder.to(device).eval()
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        found: list[Tensor] = [torch.empty(0)] * len(texts)
        batches = [order[first : first + _ENCODE_BATCH] for first in range(0, len(order), _ENCODE_BATCH)]
        for rows in bar("encode", len(batches), "batch", batches):
            encoded = tokenize(tokenizer, [texts[row] for row in rows], tokens).to(device)
            states = encoder(**encoded).last_hidden_state[:, 0].float().cpu().clone()
            for row, state in zip(rows, states, strict=True):
                found[row] = state
        return found

    def collate(self, rows: list[tuple[Tensor, float, float]]) -> Inputs:
        """Examples' fp32 [width], label and weight -> fp32 [b, width], [b], [b]."""
        features, labels, weights = zip(*rows, strict=True)
        return {"features": torch.stack(features), "labels": torch.tensor(labels), "weights": torch.tensor(weights)}


class WholeModel(nn.Module):
    """Encoder and head are trained."""

    def __init__(self, model: Any, head: str) -> None:
        super().__init__()
        self.model, self.head = model, head
        self.padding = model.config.pad_token_id

    def forward(self, input_ids: Tensor, labels: Tensor, weights: Tensor) -> Inputs:
        """input_ids int64 [b, tokens], labels and weights fp32 [b] -> loss [] and logits [b], fp32."""
        outputs = self.model(input_ids, attention_mask=(input_ids != self.padding).long()).logits[:, 0]
        return {"loss": _loss(outputs, labels, weights, self.head), "logits": outputs}

    def inputs(self, tokenizer: Any, texts: list[str], tokens: int) -> list[Tensor]:
        """The token ids of each text, int64 [its tokens]."""
        return [torch.tensor(ids) for ids in tokenizer(texts, truncation=True, max_length=tokens)["input_ids"]]

    def collate(self, rows: list[tuple[Tensor, float, float]]) -> Inputs:
        """Examples' int64 [their tokens], label and weight -> int64 [b, the most tokens], fp32 [b], fp32 [b]."""
        ids, labels, weights = zip(*rows, strict=True)
        padded = nn.utils.rnn.pad_sequence(list(ids), batch_first=True, padding_value=self.padding)
        return {"input_ids": padded, "labels": torch.tensor(labels), "weights": torch.tensor(weights)}


def _loss(outputs: Tensor, labels: Tensor, weights: Tensor, head: str) -> Tensor:
    if head == "classification":
        return functional.binary_cross_entropy_with_logits(outputs, labels, weights)
    return functional.mse_loss(outputs, labels)


class ExampleDataset(Dataset[tuple[Tensor, float, float]]):
    """Inputs, labels, and weights with which both classes weigh the same, of the chosen examples (bool [examples]).

    Inputs are what the module's `inputs` has made of them: fp32 [width] or int64 [tokens] each.
    """

    def __init__(self, examples: Examples, inputs: list[Tensor], head: str, chosen: np.ndarray) -> None:
        rows = list(zip(inputs, examples.labels.tolist(), _weights(examples.labels, head), strict=True))
        self.rows = [rows[number] for number in np.flatnonzero(chosen)]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[Tensor, float, float]:
        return self.rows[number]


def _weights(labels: np.ndarray, head: str) -> list[float]:
    if head == "regression":
        return [1.0] * len(labels)
    share = labels.mean()
    found: list[float] = np.where(labels == 1, 0.5 / share, 0.5 / (1 - share)).tolist()
    return found


def _macro_f1(found: EvalPrediction, head: str) -> float:
    outputs, labels = np.asarray(found.predictions), np.asarray(found.label_ids)
    return macro_f1(1 / (1 + np.exp(-outputs)) if head == "classification" else outputs, labels, head)


def _arguments(config: AnnotatorConfig, seed: int, folder: Path) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.train.epochs,
        learning_rate=config.train.learning_rate,
        per_device_train_batch_size=config.train.batch,
        per_device_eval_batch_size=config.train.batch,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,  # the best and the newest
        load_best_model_at_end=True,
        metric_for_best_model="macro_f1",
        label_names=["labels"],
        remove_unused_columns=False,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
        bf16=on_gpu,
        use_cpu=not on_gpu,
    )
    # Of several GPUs the Trainer would take all, and with each as many examples again into a batch.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _newest(folder: Path) -> str | None:
    """The newest epoch that was saved to its end: the Trainer writes its state last."""
    whole = [path for path in folder.glob("checkpoint-*") if _is_whole(path)]
    return str(max(whole, key=lambda path: int(path.name.partition("-")[2]))) if whole else None


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True

"""The parity gate: transformers, given the exported folder, answers as the trained model did."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from snowcoder.errors import OperationError, UserError
from snowcoder.export.pretrained import load_whole
from snowcoder.tokenization.load import Tokenizer
from snowcoder.training import platform

TOLERANCE = 1e-4  # of a logit, in fp32 on both sides
_TEXT = "def café(n):\n\t# 12,345 µs\n    return [n ** 2 for n in range(10)]\n"


class PromptParity(NamedTuple):
    tokens: int
    largest: float  # difference of a logit
    decided: int  # positions where the first choice is clear, and therefore must be the same


class ParityReport(NamedTuple):
    prompts: list[PromptParity]

    @property
    def largest(self) -> float:
        return max(prompt.largest for prompt in self.prompts)


def check_parity(folder: Path, reference: Path) -> ParityReport:
    """Hold `folder` to the logits in `reference`. Raises `OperationError` where they differ."""
    model = _load(folder)
    files = sorted(reference.glob("*.safetensors"))
    if not files:
        raise OperationError(f"{reference} holds no logits of the trained model: the export cannot be checked")
    return ParityReport([_compare(model, **load_file(path)) for path in files])


def check_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """The folder's tokenizer in transformers must be the one the model was trained with."""
    loaded = AutoTokenizer.from_pretrained(folder)
    if len(loaded) != tokenizer.vocab_size:
        raise OperationError(f"{folder}: its tokenizer has {len(loaded)} entries instead of {tokenizer.vocab_size}")
    ids = loaded(_TEXT, add_special_tokens=False)["input_ids"]
    if ids != tokenizer.encode(_TEXT):
        raise OperationError(f"{folder}: its tokenizer gives other ids than {tokenizer.folder}")
    if loaded.decode(ids) != _TEXT:
        raise OperationError(f"{folder}: its tokenizer turns {_TEXT!r} into {loaded.decode(ids)!r}")


def _load(folder: Path) -> Any:
    how = {"dtype": torch.float32, "attn_implementation": "sdpa"}
    try:
        model = load_whole(AutoModelForCausalLM, folder, **how)
    except UserError as error:
        raise OperationError(f"{folder} cannot be loaded by transformers: {error}") from None
    return model.eval().to(platform.device())


@torch.no_grad()
def _compare(model: Any, ids: torch.Tensor, logits: torch.Tensor) -> PromptParity:
    theirs = model(ids.unsqueeze(0).to(model.device)).logits[0].cpu()
    prompt = f"the prompt of {len(ids)} tokens"
    if theirs.shape != logits.shape:
        raise OperationError(f"export: {prompt} gives logits {[*theirs.shape]}, the trained model {[*logits.shape]}")
    first, second = logits.topk(2).values.unbind(-1)
    clear = first - second > TOLERANCE
    other_choice = (clear & (theirs.argmax(-1) != logits.argmax(-1))).nonzero()
    worst = (theirs - logits).abs_().amax(-1)
    if not (worst <= TOLERANCE).all():  # not `>`, which NaN would pass
        position = int((~(worst <= TOLERANCE)).nonzero()[0])
        raise OperationError(
            f"export: {prompt}, position {position}: a logit differs from the trained model's by "
            f"{worst[position]:.3g}, at the prompt's worst position by {worst.max():.3g}; "
            f"{TOLERANCE:g} is allowed"
        )
    if len(other_choice):
        raise OperationError(f"export: {prompt}, position {int(other_choice[0])}: another token comes first")
    return PromptParity(len(ids), worst.max().item(), int(clear.sum()))

"""The parity gate: transformers, given the exported folder, answers as the trained model did."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from snowcoder.errors import OperationError
from snowcoder.progress import bar
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
    disable_progress_bar()
    model = _load(folder)
    files = sorted(reference.glob("*.safetensors"))
    if not files:
        raise OperationError(f"{reference} holds no logits of the trained model: the export cannot be checked")
    reports = []
    for path in bar("export: prompts", len(files), "prompt", files):
        reports.append(_compare(model, **load_file(path)))
    return ParityReport(reports)


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
    loader: Any = AutoModelForCausalLM
    try:
        model, found = loader.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation="sdpa",
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise OperationError(f"{folder} cannot be loaded by transformers: {error}") from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found[kind]:
            raise OperationError(f"{folder}: transformers reports {kind.replace('_', ' ')}: {sorted(found[kind])}")
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

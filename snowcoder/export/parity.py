"""The parity gate: transformers, given the exported folder, reads and answers as the trained model did."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from snowcoder.errors import OperationError, UserError
from snowcoder.model import platform
from snowcoder.pretrained.load import load_whole
from snowcoder.progress import bar
from snowcoder.tokenization.load import Tokenizer

TOLERANCE = 1e-4  # of a logit, in fp32 on both sides
# Letters of several scripts, digits, runs of blanks and ends of lines: what tokenizers differ in.
TEXT = (
    "def café(n):\n\t# 12,345 µs\n    return [n ** 2 for n in range(10)]\n"
    "if (x >= 0xFF) { s += \"naïve 漢字 👩‍💻\"; }   // 3.14e-10\r\n\n\n        <div class='a-b_c'>&amp;</div>\n"
)
PROMPT, _ANSWER = "text.json", "text.safetensors"  # in the reference's folder: TEXT's ids, as many as the model takes


class PromptParity(NamedTuple):
    tokens: int
    largest: float  # difference of a logit
    decided: int  # positions where the first choice is clear, and therefore must be the same


class ParityReport(NamedTuple):
    prompts: list[PromptParity]  # of random ids
    text: PromptParity | None = None

    @property
    def largest(self) -> float:
        return max(prompt.largest for prompt in (*self.prompts, *([self.text] if self.text else [])))


def check_parity(folder: Path, reference: Path, tokenizer: Tokenizer | None = None) -> ParityReport:
    """Hold `folder` to the logits in `reference`, with `tokenizer` those of a text too.

    Raises `OperationError` where they differ.
    """
    model = _load(folder)
    files = sorted(path for path in reference.glob("*.safetensors") if path.name != _ANSWER)
    if not files:
        raise OperationError(f"{reference} holds no logits of the trained model: the export cannot be checked")
    prompts = [_compare(model, **load_file(path)) for path in bar("export: prompts", len(files), "prompt", files)]
    return ParityReport(prompts, _compare_text(model, folder, reference, tokenizer) if tokenizer else None)


def check_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """The folder's tokenizer in transformers must be the one the model was trained with."""
    loaded = AutoTokenizer.from_pretrained(folder)
    if len(loaded) != tokenizer.vocab_size:
        raise OperationError(f"{folder}: its tokenizer has {len(loaded)} entries instead of {tokenizer.vocab_size}")
    theirs, ours = loaded.get_vocab(), tokenizer.backend.get_vocab()
    if others := sum(theirs.get(token) != number for token, number in ours.items()):
        raise OperationError(f"{folder}: {others} entries of its tokenizer have other ids than in {tokenizer.folder}")
    ids = _read(loaded)
    if ids != tokenizer.encode(TEXT):
        raise OperationError(f"{folder}: its tokenizer gives other ids than {tokenizer.folder}")
    if loaded.decode(ids) != TEXT:
        raise OperationError(f"{folder}: its tokenizer turns {TEXT!r} into {loaded.decode(ids)!r}")


def _read(tokenizer: Any) -> list[int]:
    """Ids of TEXT. Not verbose: it may be longer than the model's sequence, to which it is cut."""
    found: list[int] = tokenizer(TEXT, add_special_tokens=False, verbose=False)["input_ids"]
    return found


def _compare_text(model: Any, folder: Path, reference: Path, tokenizer: Tokenizer) -> PromptParity:
    """As a user has it: the folder's own tokenizer reads, its model answers, its tokenizer writes."""
    loaded, trained = AutoTokenizer.from_pretrained(folder), load_file(reference / _ANSWER)
    ids = torch.tensor(_read(loaded)[: len(trained["ids"])])
    if not torch.equal(ids, trained["ids"]):
        raise OperationError(f"{folder}: its tokenizer gives other ids than the trained model was asked with")
    found = _compare(model, ids, trained["logits"])
    answer = trained["logits"].argmax(-1).tolist()
    if loaded.decode(answer) != tokenizer.decode(answer):
        raise OperationError(f"{folder}: its tokenizer writes the model's answer as {loaded.decode(answer)!r}")
    return found


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

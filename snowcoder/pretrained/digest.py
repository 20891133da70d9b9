"""What a model in Hugging Face format is known by: the files that decide what it writes, and not its card."""

from __future__ import annotations

from pathlib import Path

from snowcoder.storage.digest import digest_file, digest_json

_DECISIVE = ("*.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")


def model_digest(folder: Path) -> str:
    files = sorted(path for pattern in _DECISIVE for path in folder.glob(pattern))
    return digest_json({path.name: digest_file(path) for path in files})

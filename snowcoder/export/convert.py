"""One rank reads the whole checkpoint and writes Hugging Face's tensors."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import save_torch_state_dict
from huggingface_hub.utils import disable_progress_bars

from snowcoder.config.schema import Config
from snowcoder.model.llama import build_chunks, transformer_config
from snowcoder.model.mapping import to_hugging_face
from snowcoder.training.checkpoints.write import load_weights
from snowcoder.training.rank.pulse import doing


def run(config: Config, checkpoint: str, folder: str) -> None:
    """Write safetensors of at most 5 GB, in the dtype of the checkpoint, to `folder`."""
    doing("building the model")
    [chunk] = build_chunks(config, transformer_config(config))
    doing("loading the checkpoint")
    load_weights([chunk], Path(checkpoint))
    doing("writing safetensors")
    disable_progress_bars()
    save_torch_state_dict(to_hugging_face(chunk, config.model), folder)
    for path in Path(folder).glob("*.safetensors"):
        path.chmod(0o644)  # safetensors lets nobody else read them

"""Random Llamas made by transformers, saved by our ranks in every layout, exported by one rank."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from snowcoder.config.compose import load_config
from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config
from snowcoder.export.llama_config import to_llama
from snowcoder.storage.atomic import write_json
from snowcoder.training.train import launch
from tests.tiny import LAYOUTS, tiny_overrides

SEPARATE = ["model.kv_heads=4", "model.tied_embeddings=false"]
MODELS = {
    "tp1": ["precision=fp32", *SEPARATE],
    "tp2sp": ["precision=fp32"],
    "pp2": ["precision=bf16"],
    "pp2vpp2": ["precision=bf16", *SEPARATE],
    "tp2pp2": ["precision=fp32"],
}
RANKS = 4  # of every layout: what tensor and pipeline parallelism leave is data parallelism


def write_origin(folder: Path, config: Config, shard_size: str = "5GB") -> Path:
    """A Hugging Face Llama of the config's shape, with random weights and norms."""
    model = LlamaForCausalLM(LlamaConfig(**to_llama(config.model, config.precision, {})))
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        mean = 1.0 if "norm" in name else 0.0
        torch.nn.init.normal_(parameter, mean, 0.2, generator)
    dtype = torch.bfloat16 if config.precision.dtype == "bf16" else torch.float32
    model.to(dtype).save_pretrained(folder, max_shard_size=shard_size)
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of each layout a folder with origin/, a checkpoint, reference/ and exported/."""
    folders = {name: tmp_path_factory.mktemp(name) for name in MODELS}
    for name, folder in folders.items():
        config = load_config(tiny_overrides(folder, *LAYOUTS[name], *MODELS[name]))
        layout = config.parallel.model_copy(update={"data": RANKS // config.parallel.world_size})
        config = config.model_copy(update={"parallel": layout})
        (folder / "resolved.yaml").write_text(to_yaml(config))
        write_origin(folder / "origin", config, shard_size="200KB")
        (folder / "reference").mkdir()
        (folder / "exported").mkdir()
        write_json(folder / "exported" / "config.json", to_llama(config.model, config.precision, {}))
    paths = [str(folder) for folder in folders.values()]
    shared = tiny_overrides(tmp_path_factory.mktemp("ranks"), "parallel=single")
    ranks = load_config([*shared, f"parallel.data={RANKS}"])
    launch("tests.export.ranks:save_and_answer", ranks, "ranks.yaml", *paths)
    launch("tests.export.ranks:convert_all", load_config(shared), "one.yaml", *paths)
    return folders

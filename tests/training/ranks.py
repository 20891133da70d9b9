"""What ranks do for tests of the model: each function is a task of `launch`."""

from pathlib import Path

import numpy as np
import torch

from snowcoder.config.schema import Config
from snowcoder.mixture.samples import Samples
from snowcoder.model.initialize import initial_tensor
from snowcoder.model.llama import build_chunks, transformer_config
from snowcoder.model.mapping import load_hugging_face
from snowcoder.training.batches import micro_batches
from snowcoder.training.rank.process_groups import tensor_part


@torch.no_grad()
def logits_of_packed_documents(config: Config, output: str) -> None:
    """Logits of two rows of packed documents, and of the same with the first document of row 0 changed."""
    (chunk,) = build_chunks(config, transformer_config(config))
    load_hugging_face(chunk, config.model, tensor_part(), lambda name: initial_tensor(name, config.model, 1))
    tokens = np.random.default_rng(0).integers(0, 500, (2, 65))
    changed = tokens.copy()
    changed[0, :20] = (changed[0, :20] + 1) % 500
    starts = [np.array([0, 20, 41]), np.array([0, 33])]
    results = {}
    for name, rows in {"before": tokens, "after": changed}.items():
        samples = Samples(rows, starts, np.ones((2, 64), bool))
        (batch,) = micro_batches(samples, size=2, document_mask=config.packing.document_mask)
        logits = chunk(batch.tokens, batch.positions, None, packed_seq_params=batch.packed)
        results[name] = logits.reshape(2, 64, -1)
    alone = torch.from_numpy(tokens[:1, 20:41])
    results["alone"] = chunk(alone, torch.arange(21)[None], None)
    torch.save(results, Path(output))

"""The class of megatron-core that the model is, named here alone; `build_chunks` of llama.py makes it.

megatron-core 0.19 deprecates GPTModel for HybridModel, in which attention and MLP are layers of their own: half a
layer each, with other parameters' names, and so other checkpoints.
"""

from __future__ import annotations

from megatron.core.models.gpt import GPTModel as Decoder

__all__ = ["Decoder"]

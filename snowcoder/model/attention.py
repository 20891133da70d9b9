"""torch's fused attention as megatron-core's core attention, for where Transformer Engine is absent."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.module import MegatronModule
from megatron.core.transformer.transformer_config import TransformerConfig

from snowcoder.model import platform

_SLOW_IN_BF16 = 64  # head dimensions below it: torch's backward pass on CPUs takes up to twice its fp32 one's time


class FusedCoreAttention(MegatronModule):  # type: ignore[misc]  # its library has no types
    """Causal self-attention by `scaled_dot_product_attention`; with packed sequences, inside each document."""

    def __init__(
        self,
        config: TransformerConfig,
        layer_number: int,
        attn_mask_type: AttnMaskType,
        attention_type: str,
        softmax_scale: float | None = None,
        **_: Any,
    ) -> None:
        super().__init__(config=config)
        assert attn_mask_type == AttnMaskType.causal
        assert config.attention_dropout == 0.0
        assert config.context_parallel_size == 1, "context parallelism needs Transformer Engine"
        self.scale = softmax_scale  # None: 1/sqrt(head dimension)
        self.grouped = config.num_query_groups != config.num_attention_heads

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        attn_mask_type: AttnMaskType | None = None,
        attention_bias: torch.Tensor | None = None,
        packed_seq_params: PackedSeqParams | None = None,
    ) -> torch.Tensor:
        """query [s, b, heads, d], key and value [s, b, groups, d] -> [s, b, heads * d]; packed: without b.

        All of them bf16 or fp32, as `precision.dtype` has it.
        """
        assert attention_mask is None
        assert attention_bias is None
        if packed_seq_params is not None:
            return self._packed(query, key, value, packed_seq_params.cu_seqlens_q)
        out = self._causal(*(tensor.permute(1, 2, 0, 3) for tensor in (query, key, value)))
        return out.permute(2, 0, 1, 3).reshape(query.size(0), query.size(1), -1)

    def _packed(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor
    ) -> torch.Tensor:
        sizes = bounds.diff().tolist()
        documents = zip(*(tensor.split(sizes) for tensor in (query, key, value)), strict=True)
        outputs = [
            self._causal(*(tensor.transpose(0, 1).unsqueeze(0) for tensor in document)) for document in documents
        ]
        return torch.cat([out.squeeze(0).transpose(0, 1) for out in outputs]).flatten(1)

    def _causal(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        dtype = query.dtype
        if platform.ON_CPU and query.size(-1) < _SLOW_IN_BF16:
            query, key, value = query.float(), key.float(), value.float()
        out = F.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=self.scale, enable_gqa=self.grouped
        )
        return out.to(dtype)

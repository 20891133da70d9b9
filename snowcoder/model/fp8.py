"""Ways of scaling in fp8, Transformer Engine's recipes: the devices that have them, and what megatron-core is told."""

from __future__ import annotations

from typing import Any, NamedTuple


class Scaling(NamedTuple):
    format: str  # of megatron-core: hybrid has e5m2 for gradients, whose range is wider
    capability: tuple[int, int]  # of the device, at least
    below: tuple[int, int]  # of the device, not this nor newer
    devices: str  # the same in words
    options: dict[str, Any]


_NONE = (99, 0)
# Devices as in transformer_engine/pytorch/quantization.py (2.11), formats and options as in the recipes of
# Megatron-Bridge (training/mixed_precision.py).
SCALINGS = {
    "delayed": Scaling(
        "hybrid", (8, 9), _NONE, "Ada, Hopper or newer", {"fp8_amax_history_len": 1024, "fp8_amax_compute_algo": "max"}
    ),
    "tensorwise": Scaling("hybrid", (8, 9), _NONE, "Ada, Hopper or newer", {}),
    "blockwise": Scaling("hybrid", (9, 0), _NONE, "Hopper or newer", {}),
    "mxfp8": Scaling("e4m3", (10, 0), (12, 0), "Blackwell of a data centre (B200, GB200, B300)", {}),
}


def device_problem(fp8: str, capability: tuple[int, int], device: str) -> str | None:
    """Why `device`, of this compute capability, cannot train with `precision.fp8`; None if it can."""
    scaling = SCALINGS.get(fp8)
    if scaling is None or scaling.capability <= capability < scaling.below:
        return None
    able = [name for name, other in SCALINGS.items() if other.capability <= capability < other.below]
    return f"precision.fp8={fp8}: needs {scaling.devices}, this is {device}; it can do: {', '.join(able) or 'none'}"

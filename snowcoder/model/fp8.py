"""Transformer Engine's recipes of scaling in fp8: what each needs of a device, and what megatron-core is told of it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Recipe(NamedTuple):
    format: str  # of megatron-core: hybrid has e5m2 for gradients, whose range is wider
    capability: tuple[int, int]  # of the device, at least
    below: tuple[int, int]  # of the device, not this nor newer
    devices: str  # the same in words
    options: dict[str, Any]


_NONE = (99, 0)
# Devices as in transformer_engine/pytorch/quantization.py (2.11), formats and options as in the recipes of
# Megatron-Bridge (training/mixed_precision.py).
RECIPES = {
    "delayed": Recipe(
        "hybrid", (8, 9), _NONE, "Ada, Hopper or newer", {"fp8_amax_history_len": 1024, "fp8_amax_compute_algo": "max"}
    ),
    "tensorwise": Recipe("hybrid", (8, 9), _NONE, "Ada, Hopper or newer", {}),
    "blockwise": Recipe("hybrid", (9, 0), _NONE, "Hopper or newer", {}),
    "mxfp8": Recipe("e4m3", (10, 0), (12, 0), "Blackwell of a data centre (B200, GB200, B300)", {}),
}


def device_problem(fp8: str, capability: tuple[int, int], device: str) -> str | None:
    """Why `device`, of this compute capability, cannot train with `precision.fp8`; None if it can."""
    recipe = RECIPES.get(fp8)
    if recipe is None or recipe.capability <= capability < recipe.below:
        return None
    able = [name for name, other in RECIPES.items() if other.capability <= capability < other.below]
    return f"precision.fp8={fp8}: needs {recipe.devices}, this is {device}; it can do: {', '.join(able) or 'none'}"

"""What the paper reports (Wei et al., 2024, tables 1 and 2): pass@1 in percent, greedy."""

from __future__ import annotations

COLUMNS = ("HumanEval+", "MBPP+", "EvoEval", "BigCodeBench")
# Model -> training compute in tokens, and the columns.
BASELINES: dict[str, tuple[str, tuple[float, float, float, float]]] = {
    "StableCode-3B": ("1.3T", (26.2, 43.9, 18.6, 25.9)),
    "StarCoder2-3B": ("3.3T to 4.3T", (27.4, 49.2, 19.0, 21.4)),
    "Granite-Code-Base-3B": ("4.5T", (29.3, 45.8, 19.8, 20.0)),
    "CodeGemma-2B v1.0": ("3T+1T", (18.3, 46.3, 15.4, 23.9)),
    "CodeGemma-2B v1.1": ("3T+500B", (32.3, 48.9, 19.8, 28.0)),
    "Qwen1.5-1.8B": ("3T", (19.5, 28.3, 5.0, 6.3)),
    "Qwen2-1.5B": ("7T", (31.1, 38.4, 17.2, 16.5)),
    "DeepSeek-Coder-1.3B": ("2T", (28.7, 48.1, 19.2, 22.2)),
    "StarCoderBase-3B": ("1T", (17.7, 36.8, 11.6, 5.9)),
    "SmolLM-1.7B": ("1T", (15.9, 34.7, 10.0, 2.5)),
    "Phi-1.5-1.3B": ("150B", (31.7, 43.7, 20.6, 14.3)),
    "Arctic-SnowCoder alpha": ("500B", (14.0, 27.8, 7.4, 10.3)),
    "Arctic-SnowCoder beta": ("500B+50B", (21.3, 34.7, 12.8, 12.3)),
    "Arctic-SnowCoder final": ("550B+5B", (28.0, 42.9, 18.0, 19.4)),
}

"""What servers do to a draw besides temperature and top_p: told not to, as far as they can be told.

llama.cpp draws from the 40 likeliest tokens of a twentieth of the likeliest one's probability or more, and takes top_p
before the temperature; vLLM and SGLang follow the model's generation_config.json. OpenAI's protocol has no words for
it: servers that know them take them beside the protocol's, most others ignore them, and OpenAI's own refuses them.
"""

from __future__ import annotations

from typing import Any

from snowcoder.answers.failure import Failure

_PENALTY = {"repetition_penalty": 1.0}
# -1 is off everywhere; 0 is not for SGLang. samplers: llama.cpp's own, in the order of all others.
_CUTS = {"top_k": -1, "min_p": 0.0, "samplers": ["temperature", "top_p"]}


def switched_off(temperature: float | None) -> dict[str, Any]:
    """Fields that switch all of it off. Greedy answers know no cuts; None: the server's own temperature."""
    return _PENALTY if temperature == 0 else {**_PENALTY, **_CUTS}


class Sampling:
    """What one server takes of it."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def told(self, body: dict[str, Any]) -> dict[str, Any]:
        """`body` with the fields that the server has not refused."""
        fields = switched_off(body.get("temperature"))
        return {**body, **{name: value for name, value in fields.items() if name not in self._refused}}

    def left(self, body: dict[str, Any]) -> list[str]:
        """The fields that it has: there the server does as it likes."""
        return sorted(self._refused & switched_off(body.get("temperature")).keys())

    def refuses(self, failure: Failure, sent: dict[str, Any]) -> bool:
        """Whether it names one of them that was sent: then none gets it again, and `sent` is worth another try."""
        if failure.blame != "refused":
            return False
        named = {name for name in (*_PENALTY, *_CUTS) if name in sent and name in failure.detail}
        self._refused |= named
        return bool(named)

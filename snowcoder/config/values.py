"""Values of keys, for people to read."""

from __future__ import annotations

from typing import Any

import yaml


def value_of(key: str, values: dict[str, Any]) -> Any:
    """The value of a dotted key, None below what is null; a KeyError, returned, where nothing has this name."""
    found: Any = values
    for name in key.split("."):
        if found is None:
            return None
        if not isinstance(found, dict) or name not in found:
            return KeyError(key)
        found = found[name]
    return found


def value_text(value: Any) -> str:
    """As YAML on one line."""
    if isinstance(value, float):
        return f"{value:g}"
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("...\n").strip()

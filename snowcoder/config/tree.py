"""The schema as a tree of keys: what each means and what is allowed, as the JSON schema of `Config` has it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from snowcoder.config.schema import Config

Node = dict[str, Any]  # of a JSON schema
NAME = "NAME"  # stands for the names of a table, such as those of phases and sources


@functools.cache
def root() -> Node:
    return Config.model_json_schema()


def below(node: Node) -> dict[str, Node]:
    """The keys of a section; of a table of sections or values the one key `NAME`."""
    content = _content(node)
    if "additionalProperties" in content and "properties" not in content:
        return {NAME: content["additionalProperties"]}
    found: dict[str, Node] = content.get("properties", {})
    return found


def find_node(key: str) -> Node | None:
    """What a dotted key is, or None if there is none of this name. A value of a table means what the table does."""
    node = root()
    for name in key.split("."):
        keys = below(node)
        if name not in keys and NAME not in keys:
            return None
        node = keys[name] if name in keys else {"description": meaning(node), **keys[NAME]}
    return node


def walk(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    """Every key below a section, with its dotted name; a section before what is in it."""
    for name, each in below(node).items():
        yield f"{prefix}.{name}", each
        if is_section(each):
            yield from walk(each, f"{prefix}.{name}")


def is_section(node: Node) -> bool:
    """Whether there are keys below it that the schema knows by name."""
    return any(name != NAME or is_section(each) for name, each in below(node).items())


def meaning(node: Node) -> str:
    """What is said of the key, then what is said of the section that it holds, on one line.

    JSON schemas of pydantic leave out the former where it is the same.
    """
    said = [each.get("description", "") for each in (node, _content(node))]
    return " ".join(" ".join(dict.fromkeys(said)).split())


def allowed(node: Node) -> str:
    """What may be given for a key, in words."""
    if "anyOf" in node:
        return " or ".join(allowed(each) for each in node["anyOf"])
    if "enum" in node:
        return " | ".join(node["enum"])
    if "additionalProperties" in node:
        return f"a table, {NAME}: {allowed(node['additionalProperties'])}"
    if "prefixItems" in node:
        return f"[{', '.join(allowed(each) for each in node['prefixItems'])}]"
    if "items" in node:
        return f"a list, each {allowed(node['items'])}"
    if "$ref" in node:
        return f"a table of {', '.join(below(node))}"
    words = {"boolean": "true | false", "null": "null", "string": "text"}
    named = words.get(node["type"]) or _number(node)
    return f"{named} that matches `{node['pattern']}`" if "pattern" in node else named


def _number(node: Node) -> str:
    kind = "a whole number" if node["type"] == "integer" else "a number"
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    given = [f"{word} {node[limit]:g}" for limit, word in limits.items() if limit in node]
    return f"{kind} {', '.join(given)}".strip()


def _content(node: Node) -> Node:
    """What a reference, or a choice between something and null, leads to."""
    if "anyOf" in node:
        return next((_content(each) for each in node["anyOf"] if each.get("type") != "null"), node)
    return root()["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node

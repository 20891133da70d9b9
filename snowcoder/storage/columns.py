"""The columns of a shard that `index.columns` names: where they lie, what they may hold, what is said if they do not.

A name may lead into structs by dots, through lists of them too: `repo.name`, `licenses.key`. A column whose own name
has dots comes first; a struct of one field needs no dot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import types

from snowcoder.config.schema import ColumnsConfig

METADATA = ("repository", "path", "language", "licence")  # in the order of `Batch`
_KNOWN = {  # what others call them, the surest first
    "content": ("content", "code", "text", "whole_func_string", "original_string", "source", "body"),
    "repository": ("repo_name", "repository_name", "repository", "repo", "full_name", "name_with_owner", "project"),
    "path": ("path", "repo_path", "file_path", "filepath", "func_path_in_repository", "file_name", "filename"),
    "language": ("language", "lang", "programming_language", "main_language"),
    "licence": ("detected_licenses", "licenses", "license", "spdx_id", "license_key", "gha_license_id"),
    "file_paths": ("file_paths",),
    "file_lengths": ("file_lengths",),
}


class ColumnNeed(NamedTuple):
    """One of these columns, without which a shard is of no use to who reads it."""

    columns: tuple[str, ...]  # fields of `index.columns`
    reason: str  # begins with the key of the config that asks for it
    key: str | None = None  # that names the column, if it is not index.columns.*


CONTENT = ColumnNeed(("content",), "there is nothing to read")


class Leaf(NamedTuple):
    """Where a column lies in a parquet schema."""

    keys: tuple[str, ...]  # the column's name, then those of fields of structs
    type: pa.DataType  # of the values; through lists of structs, of their elements
    in_lists: bool

    @property
    def selected_by(self) -> str:
        """As parquet's reader wants it, so that the other fields of a struct are not read."""
        return self.keys[0] if self.in_lists else ".".join(self.keys)


def find_leaf(fields: Iterable[pa.Field], name: str, in_lists: bool = False) -> Leaf | None:
    """The column of this name. Raises `ValueError` if there are several."""
    fields = list(fields)
    for head, rest in _splits(name):
        found = [field for field in fields if field.name == head]
        if len(found) > 1:
            raise ValueError(f"{len(found)} columns named {head!r}")
        if found and not rest:
            return _only(Leaf((head,), found[0].type, in_lists))
        if found:
            kind, lists = _element(found[0].type)
            leaf = find_leaf(kind, rest, in_lists or lists) if types.is_struct(kind) else None
            if leaf:
                return leaf._replace(keys=(head, *leaf.keys))
    return None


def _only(leaf: Leaf) -> Leaf:
    """A struct of one field is that field: nothing else can be meant."""
    if not types.is_struct(leaf.type) or leaf.type.num_fields != 1:
        return leaf
    inner = _only(Leaf((leaf.type[0].name,), leaf.type[0].type, leaf.in_lists))
    return inner._replace(keys=(*leaf.keys, *inner.keys))


def only(value: Any) -> Any:
    """The same in a value of JSON: of an object with one key what lies under it."""
    return only(*value.values()) if isinstance(value, dict) and len(value) == 1 else value


def dig(value: Any, name: str) -> Any:
    """The same in a value of JSON: what lies under a name in an object; of a list of objects, a list."""
    if isinstance(value, list):
        return [dig(item, name) for item in value]
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    inner = ((value[head], rest) for head, rest in _splits(name) if rest and isinstance(value.get(head), dict | list))
    return next((found for item, rest in inner if (found := dig(item, rest)) is not None), None)


def pick(value: Any, keys: tuple[str, ...]) -> Any:
    """What lies under these keys in a struct, as Python has it."""
    for number, key in enumerate(keys):
        if isinstance(value, list):
            return [pick(item, keys[number:]) for item in value]
        if value is None:
            return None
        value = value[key]
    return value


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """The whole name, then each beginning that ends before a dot with what follows, the longest first."""
    yield name, ""
    for dot in reversed([match.start() for match in re.finditer(r"\.", name)]):
        yield name[:dot], name[dot + 1 :]


def _element(kind: pa.DataType) -> tuple[pa.DataType, bool]:
    """The type without its lists, and whether it had any."""
    lists = False
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, lists = kind.value_type, True
    return kind, lists


def schema_problems(schema: pa.Schema, columns: ColumnsConfig, needs: Iterable[ColumnNeed]) -> list[str]:
    """What is wrong with the columns of a parquet file, each in a line."""
    found: dict[str, Leaf | None] = {}
    problems = []
    for field, name in columns.model_dump().items():
        key = config_key_of(field, needs)
        try:
            found[field] = find_leaf(schema, name)
        except ValueError as error:
            problems.append(f"{error} ({key}): rename or drop all but one")
            continue
        leaf = found[field]
        if leaf and (wrong := _wrong_type(field, leaf)):
            problems.append(f"column {name!r} ({key}) holds {wrong}{_inside(name, leaf.type)}")
    missing = [need for need in needs if not any(found.get(field, True) for field in need.columns)]
    return problems + lacks(missing, columns, leaf_names(schema))


def _wrong_type(field: str, leaf: Leaf) -> str | None:
    """What a column holds, if a field cannot be read from it."""
    kind, lists = _element(leaf.type)
    lists = lists or leaf.in_lists
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    plain = storage.value_type if types.is_dictionary(storage) else storage
    if types.is_null(leaf.type):
        return None
    several, integer = field in ("file_paths", "file_lengths"), types.is_integer(plain)
    number = integer or types.is_floating(plain)
    readable = integer if field == "file_lengths" else _is_text(plain) or (field != "content" and number)
    if (readable or types.is_null(plain)) and (lists == several or field == "licence"):
        return None
    held = f"list<{leaf.type}>" if leaf.in_lists else leaf.type
    return f"{held}, which is no {'list of ' if several else ''}{'numbers' if field == 'file_lengths' else 'text'}"


def _is_text(kind: pa.DataType) -> bool:
    tests = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view", "null")
    return any(getattr(types, f"is_{test}")(kind) for test in tests)


def _inside(name: str, kind: pa.DataType) -> str:
    kind, _ = _element(kind)
    return f"; name one of {', '.join(leaf_names(kind, f'{name}.'))}" if types.is_struct(kind) else ""


def leaf_names(fields: Iterable[pa.Field], prefix: str = "") -> list[str]:
    """All that can be named in a schema or struct."""
    names = []
    for field in fields:
        kind, _ = _element(field.type)
        inner = leaf_names(kind, f"{prefix}{field.name}.") if types.is_struct(kind) else []
        names += inner or [prefix + field.name]
    return names


def key_names(row: Any, prefix: str = "") -> list[str]:
    """The same of an object of JSON."""
    names: list[str] = []
    for key, value in row.items():
        item = value[0] if isinstance(value, list) and value else value
        names += key_names(item, f"{prefix}{key}.") if isinstance(item, dict) and item else [prefix + key]
    return names


def lacks(missing: Iterable[ColumnNeed], columns: ColumnsConfig, there: list[str]) -> list[str]:
    """A line for each set of columns of which no row has one: who needs it, and what to set."""
    reasons: dict[tuple[str, ...], list[ColumnNeed]] = {}
    for need in missing:
        reasons.setdefault(need.columns, []).append(need)
    lines = []
    for fields, needs in reasons.items():
        names = {field: getattr(columns, field) for field in fields}
        what = " nor ".join(f"{name!r} ({config_key_of(field, needs)})" for field, name in names.items())
        state = "no value in column" if any(name in there for name in names.values()) else "no column"
        guesses = [
            f"{config_key_of(field, needs)}={guess}" for field in fields if (guess := _guess(field, names, there))
        ]
        hint = f"; perhaps it is {' or '.join(guesses)}" if guesses else ""
        lines.append(f"{state} {what}: {'; '.join(dict.fromkeys(need.reason for need in needs))}{hint}")
    return lines


def config_key_of(field: str, needs: Iterable[ColumnNeed]) -> str:
    """Of the config, that names a column."""
    own = next((need.key for need in needs if need.key and field in need.columns), None)
    return own or f"index.columns.{field}"


def _guess(field: str, names: dict[str, str], there: list[str]) -> str | None:
    """The column that is probably meant."""

    def plain(name: str) -> str:
        last = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rpartition(".")[2]).lower()
        return last.removeprefix("max_stars_")

    others = [name for name in there if name != names[field]]
    alike = [name for name in others if name.lower() == names[field].lower()]
    known = _KNOWN[field] + tuple(f"repo_{name}" for name in _KNOWN[field])
    named = [name for wanted in known for name in others if plain(name) == wanted]
    in_repository = [name for name in others if field == "repository" and re.search(r"repo(sitory)?\.name$", name)]
    return next(iter(alike + named + in_repository), None)


def text_of(value: Any) -> str | None:
    """A metadata value as valid text. None: there is none, or something that is no text, as objects and lists.

    Numbers count as text, but for NaN, which stands for none.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return str(value) if number else None


def name_of(value: Any) -> str | None:
    """A repository's name; None too of one that is not valid text: with characters replaced, two would be one."""
    try:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, str) and not value.isascii():
            value.encode()
    except UnicodeError:
        return None
    return text_of(value)


def licence_texts_of(value: Any) -> str | None:
    """Licences, joined by commas. An empty list has none, and says so: the text is empty."""
    if not isinstance(value, list):
        return text_of(value)
    texts = [text for item in value if (text := licence_texts_of(item)) is not None]
    return ",".join(filter(None, texts)) if texts or not any(value) else None


READ = dict(zip(METADATA, (name_of, text_of, text_of, licence_texts_of), strict=True))


def is_there(field: str, text: str | None) -> bool:
    """Whether a row says something: an empty text does not, but for licences, of which there may be none."""
    return text is not None if field == "licence" else bool(text)


def without(counts: dict[str, int]) -> str:
    """How many rows lack which columns, for a person; empty where none does."""
    return ", ".join(f"{count:,} without a {column}" for column, count in counts.items())


def complaint(problems: list[str], there: list[str]) -> str:
    """What is wrong with the columns of a shard, as said after its name."""
    columns = f"columns: {', '.join(there) or 'none'}"
    if len(problems) == 1:
        return f": {problems[0]}. Its {columns}"
    return ":\n" + "".join(f"  {problem}\n" for problem in problems) + f"  its {columns}"

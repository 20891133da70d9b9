"""Which keys of the config the steps of a stage read, and of which of them a step would not be done again."""

from __future__ import annotations

import functools
import inspect
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args, get_origin

import pytest

from snowcoder.config.section import Section
from snowcoder.stages.steps import Step

# Of the place, not of the result: what such keys lead to is input, and its digest is in the item's.
OF_THE_PLACE = {
    "StorageConfig": "how objects are read and written; the shards that are read have digests",
    "EngineConfig": "how many items at once, and where",
    "RequestsConfig": "how servers are asked; an answer is an answer",
    "SourceConfig": "where a source's shards or its index lie; both have digests",
    "CorpusConfig.input": "the raw shards have digests",
    "SynthesisConfig.dir": "the stage's own folder",
    "IndexConfig.dir": "an index has a manifest",
    "TokenizerConfig.dir": "an index names its tokenizer by digest, which is compared",
    "AnnotatorConfig.dir": "an annotator has a manifest",
    "ScoreConfig.dir": "scores have a manifest",
    "ScoreFiles.shards": "so many items share the cores",
}


class Notes:
    """Of each step that does its items in this process."""

    def __init__(self) -> None:
        self.arguments: dict[type[Step], tuple[Any, ...]] = {}  # what it was built with
        self.keys: defaultdict[type[Step], set[tuple[type[Section], str]]] = defaultdict(set)  # what it read
        self._at_work: list[type[Step]] = []

    @contextmanager
    def at_work(self, step: type[Step]) -> Iterator[None]:
        self._at_work.append(step)
        try:
            yield
        finally:
            self._at_work.pop()

    def read(self, section: Section, names: frozenset[str]) -> None:
        if self._at_work:
            self.keys[self._at_work[-1]] |= {(type(section), name) for name in names & _fields(type(section))}

    def forgotten(self, values: dict[str, list[Any]]) -> list[str]:
        """Keys that a step reads, or other values it is given, though it takes what was made by another for its own.

        `values`: of keys that cannot have any other of their type.
        """
        assert set(self.keys) <= set(self.arguments)
        return sorted([*self._forgotten_keys(values), *self._forgotten_arguments()])

    def _forgotten_keys(self, values: dict[str, list[Any]]) -> Iterator[str]:
        yield from (
            f"{step.__name__}: {kind.__name__}.{name}"
            for step, keys in self.keys.items()
            for kind, name in keys
            if not {kind.__name__, f"{kind.__name__}.{name}"} & OF_THE_PLACE.keys() and not _leads_on(kind, name)
            if _made_from(step, self.arguments[step])
            == _made_from(step, [_changed(each, kind, name, values) for each in self.arguments[step]])
        )

    def _forgotten_arguments(self) -> Iterator[str]:
        """Of what is neither a section nor input."""
        for step, arguments in self.arguments.items():
            for number, name in enumerate(list(inspect.signature(step).parameters)[: len(arguments)]):
                value = arguments[number]
                if not isinstance(value, int | float | str | dict) or f"{step.__name__}.{name}" in OF_THE_PLACE:
                    continue
                other = [*arguments[:number], _other(value, type(value)), *arguments[number + 1 :]]
                if _made_from(step, arguments) == _made_from(step, other):
                    yield f"{step.__name__}: {name}"


@contextmanager
def noting(*more: tuple[Any, str, type[Step]]) -> Iterator[Notes]:
    """`more`: other functions (owner, name) that work for a step."""
    notes = Notes()
    with pytest.MonkeyPatch.context() as patch:
        _watch_sections(notes, patch)
        for step in _subclasses(Step):
            patch.setattr(step, "__init__", _noting_arguments(notes, step))
        for owner, name, step in (*((step, "make", step) for step in _subclasses(Step)), *more):
            patch.setattr(owner, name, _at_work(notes, step, getattr(owner, name)))
        yield notes


def _watch_sections(notes: Notes, patch: pytest.MonkeyPatch) -> None:
    get = Section.__getattribute__

    def watched(section: Section, name: str) -> Any:
        # Whoever writes a section down takes all of its keys.
        every = name in ("model_dump", "model_dump_json")
        notes.read(section, _fields(type(section)) if every else frozenset([name]))
        return get(section, name)

    patch.setattr(Section, "__getattribute__", watched)


def _noting_arguments(notes: Notes, step: type[Step]) -> Callable[..., None]:
    build = step.__init__

    @functools.wraps(build)
    def noted(self: Step, *arguments: Any) -> None:
        notes.arguments[step] = arguments
        with notes.at_work(step):
            build(self, *arguments)

    return noted


def _at_work(notes: Notes, step: type[Step], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noted(*arguments: Any) -> Any:
        with notes.at_work(step):
            return function(*arguments)

    return noted


def _subclasses(step: type[Step]) -> list[type[Step]]:
    return [each for child in step.__subclasses__() for each in (child, *_subclasses(child))]


def _made_from(step: type[Step], arguments: Any) -> str:
    return step(*arguments).work_item("an item", "its input").made_from


@functools.cache
def _fields(kind: type[Section]) -> frozenset[str]:
    return frozenset(kind.model_fields)


def _leads_on(kind: type[Section], name: str) -> bool:
    """Whether it is but the way to other keys."""
    kinds = [kind.model_fields[name].annotation]
    if get_origin(kinds[0]) is dict:
        kinds = [get_args(kinds[0])[1]]
    return all(isinstance(each, type) and issubclass(each, Section) for each in kinds)


def _changed(value: Any, kind: type[Section], name: str, values: dict[str, list[Any]]) -> Any:
    """The value, with the key changed in each section of this kind in it."""
    if isinstance(value, dict):
        return {key: _changed(each, kind, name, values) for key, each in value.items()}
    if not isinstance(value, Section):
        return value
    new = {field: _changed(getattr(value, field), kind, name, values) for field in _fields(type(value))}
    if type(value) is kind:
        valid = values.get(f"{kind.__name__}.{name}", [])
        new[name] = next(
            (each for each in valid if each != new[name]), _other(new[name], kind.model_fields[name].annotation)
        )
    return value.model_copy(update=new)


def _other(value: Any, annotation: Any) -> Any:
    """A valid one of the same type."""
    kinds = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    literals = [each for kind in kinds if get_origin(kind) is Literal for each in get_args(kind)]
    if literals:
        return next(each for each in literals if each != value)
    match value:
        case None:
            kind = get_origin(kinds[0]) or kinds[0]
            return kind.model_construct() if issubclass(kind, Section) else {str: "x", list: ["x"]}[kind]
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value / 2 or 0.5
        case str():
            return f"{value}x"
        case list():
            return [*value, "x"]
        case tuple():
            return (*value[:-1], value[-1] + 1)
        case Section():
            return None
        case _:
            return {**value, "x": ["y"]}

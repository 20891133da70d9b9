"""From what a file imports to the files of the same repository that it needs.

What cannot be resolved, above all what comes from other projects, is no edge. Where several files would do, the
nearest does. The rules are those by which each language's tools find files, as far as paths and package declarations
show them: build files, which may say otherwise, are not read.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from snowcoder.corpus.document import Document
from snowcoder.corpus.grouping.imports import Import, read_imports
from snowcoder.corpus.grouping.paths import join_path
from snowcoder.corpus.grouping.repository import ImportTargets, dotted

_MOST = 256  # files that one is said to need: bounds a graph of packages with thousands of files
_JAVASCRIPT = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".cts", ".mjs", ".cjs")
_LITERAL = re.compile(r"""["']([^"']*)["'][\s)]*$""")
_RUST_ROOTS = ("mod", "lib", "main")  # files that stand for their folder
_RUST_STANDARD = ("std", "core", "alloc")
_DEEPEST = 16  # parts and braces of a name


def dependencies_of(files: list[Document]) -> list[set[int]]:
    """For each file the places, in `files`, of those that it imports."""
    sources = [read_imports(file) for file in files]
    repository = ImportTargets(files, sources)
    needs = []
    for number, (file, source) in enumerate(zip(files, sources, strict=True)):
        resolve = _RULES.get(file.language)
        found = [resolve(repository, file.path.lstrip("/"), one) for one in source.imports] if resolve else []
        needs.append(_join(found) - {number})
    return needs


def _join(found: list[list[int]]) -> set[int]:
    """Those first that say exactly which file they mean."""
    needs: set[int] = set()
    for numbers in sorted(found, key=len):
        if len(needs) < _MOST:
            needs.update(numbers[:_MOST])
    return needs


def _python(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """`from a import b` means a/b.py if there is one, else a.py or a/__init__.py."""
    module = one.target.replace(" ", "")
    levels = len(module) - len(module.lstrip("."))
    stem = module.lstrip(".").replace(".", "/")
    stems = [posixpath.join(stem, one.name), stem] if one.name else [stem]
    if levels:
        folder = posixpath.dirname(path)
        base = join_path(folder, "../" * (levels - 1) or ".")
        return [] if base is None else repository.paths.first(_modules(posixpath.join(base, stem) for stem in stems))
    if module.partition(".")[0] in sys.stdlib_module_names:
        return []
    if "/" not in stem:
        return _top_module(repository, path, stems)
    return repository.paths.ending(_modules(stems), path)


def _top_module(repository: ImportTargets, path: str, stems: list[str]) -> list[int]:
    """A short name is found by chance, too: its folder must be above the file, or just beside such a one (src)."""
    for suffix in _modules(stems):
        found = repository.paths.suffixes.nearest(suffix, path)
        if found is None:
            continue
        root = posixpath.dirname(found.removesuffix(suffix).rstrip("/"))
        if path.startswith(f"{root}/" if root else ""):
            return [repository.paths.files[found]]
    return []


def _modules(stems: Iterable[str]) -> Iterator[str]:
    for stem in stems:
        yield f"{stem}.py"
        yield posixpath.join(stem, "__init__.py")


def _packaged(repository: ImportTargets, path: str, one: Import, family: str) -> list[int]:
    """By the packages that files declare; `a.b.C.d` may be a member of the class a.b.C, or of a class in that."""
    name = re.sub(r"\.(?:_|\*|given)$", "", dotted(one.target))
    if (family, name) in repository.packages:
        return repository.packages[family, name]
    for _ in range(3):
        if (family, name) in repository.classes:
            return repository.classes[family, name]
        name = name.rpartition(".")[0]
    return []


def _scala(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """`import a.b.{C, D => E}, f.G`"""
    names = (re.split(r"=>| as ", name)[0] for name in _expand(one.target.removeprefix("import")))
    return [number for name in names for number in _packaged(repository, path, Import(one.kind, name), "JVM")]


def _php(repository: ImportTargets, path: str, one: Import) -> list[int]:
    if one.kind == "module":
        name = f"{one.target}\\{one.name}" if one.name else one.target
        return repository.classes.get(("PHP", dotted(name)), [])
    literal = _LITERAL.search(one.target)
    return _beside(repository, path, literal[1]) if literal else []


def _beside(repository: ImportTargets, path: str, target: str, suffix: str = "") -> list[int]:
    """Relative to the file, else wherever it is."""
    relative = join_path(posixpath.dirname(path), target + suffix)
    found = repository.paths.first([relative] if relative else [])
    return found or repository.paths.ending([re.sub(r"^(?:\.*/)+", "", target) + suffix], path)


def _c(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """A plain <name.h> is the system's."""
    if one.target.startswith("<"):
        target = one.target.strip("<>")
        return repository.paths.ending([target], path) if "/" in target else []
    return _beside(repository, path, one.target)


def _javascript(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """A name without a dot in front is that of a package; a.js may be what a.ts is compiled to."""
    if not one.target.startswith(".") or one.name not in ("", "require", "import"):
        return []
    target = join_path(posixpath.dirname(path), one.target)
    if target is None:
        return []
    source = re.sub(r"\.([mc]?)js(x?)$", r".\1ts\2", target)
    stems = [target + extension for extension in _JAVASCRIPT]
    indices = [posixpath.join(target, f"index{extension}") for extension in _JAVASCRIPT]
    return repository.paths.first([target, source, *stems, *indices])


def _go(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """A package is a folder; its tests are no part of it."""
    module = repository.go_module
    if one.target == module:
        return repository.go_packages.get("", [])
    if not module or not one.target.startswith(f"{module}/"):
        return []
    folder = repository.paths.folder_suffixes.nearest(one.target.removeprefix(f"{module}/"), path)
    return repository.go_packages.get(folder, []) if folder else []


def _rust(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """`mod a;` and `use crate::a`, `self::a`, `super::a` and `other_crate::a` where these lead to a module's file.

    What a module uses of its parent itself is no edge: the parent declares it, so that would always be a cycle.
    """
    folder, stem = posixpath.dirname(path), posixpath.basename(path).removesuffix(".rs")
    own = folder if stem in _RUST_ROOTS else posixpath.join(folder, stem)
    if one.kind == "module":
        return repository.paths.first(_rust_files(posixpath.join(base, one.target) for base in (own, folder)))
    return [number for name in _expand(one.target) for number in _rust_use(repository, path, own, name)]


def _rust_use(repository: ImportTargets, path: str, own: str, name: str) -> list[int]:
    first, *rest = name.split(" as ")[0].replace(" ", "").split("::")[:_DEEPEST]
    if first == "super":
        own = posixpath.dirname(own)
    while first == "super" and rest[:1] == ["super"]:
        own, rest = posixpath.dirname(own), rest[1:]
    stems = ["/".join(rest[:count]) for count in range(len(rest), 0, -1)]  # a::b::c may be an item in a::b or in a
    if first in ("crate", "self", "super"):
        base = repository.rust_root(posixpath.dirname(path)) if first == "crate" else own
        return repository.paths.first(_rust_files(posixpath.join(base, stem) for stem in stems))
    if first in _RUST_STANDARD:
        return []
    inside = repository.paths.first(_rust_files(posixpath.join(own, first, stem) for stem in stems))
    crates = (f"{first}/src", f"{first.replace('_', '-')}/src")
    others = [*_rust_files(f"{crate}/{stem}" for stem in stems for crate in crates), *(f"{c}/lib.rs" for c in crates)]
    return inside or repository.paths.ending(others, path)


def _rust_files(stems: Iterable[str]) -> Iterator[str]:
    for stem in stems:
        yield f"{stem}.rs"
        yield f"{stem}/mod.rs"


def _expand(text: str) -> list[str]:
    """`a::{b, c::{d}}` as a::b and a::c::d."""
    names, prefixes, current = [], [""], ""
    for token in re.findall(r"[{},]|[^{},]+", text):
        if token not in "{},":
            current = token.strip()
            continue
        if token == "{" and len(prefixes) < _DEEPEST:
            prefixes.append(prefixes[-1] + current)
        elif token != "{" and current:
            names.append(prefixes[-1] + current)
        if token == "}" and len(prefixes) > 1:
            prefixes.pop()
        current = ""
    return [*names, current] if current else names


def _ruby(repository: ImportTargets, path: str, one: Import) -> list[int]:
    """`require` looks in lib, and in tests where their runners add them."""
    target = one.target.removesuffix(".rb") + ".rb"
    if one.name == "require_relative":
        relative = join_path(posixpath.dirname(path), target)
        return repository.paths.first([relative] if relative else [])
    roots = ("lib", "test", "spec")
    return repository.paths.ending((f"{root}/{target}" for root in roots), path) if one.name == "require" else []


_RULES: dict[str, Callable[[ImportTargets, str, Import], list[int]]] = {
    "Python": _python,
    "Java": partial(_packaged, family="JVM"),
    "Kotlin": partial(_packaged, family="JVM"),
    "Scala": _scala,
    "C": _c,
    "C++": _c,
    "C#": partial(_packaged, family="C#"),
    "JavaScript": _javascript,
    "TypeScript": _javascript,
    "Go": _go,
    "Rust": _rust,
    "PHP": _php,
    "Ruby": _ruby,
}

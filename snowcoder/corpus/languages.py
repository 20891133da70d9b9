"""A file's language by its extension: the paper's 18 languages and the ones often found beside them."""

from __future__ import annotations

from pathlib import PurePath

_EXTENSIONS = {
    "Python": "py pyi",
    "Java": "java",
    "C++": "cc cpp cxx hh hpp hxx cuh",
    "C": "c h",
    "JavaScript": "js mjs cjs jsx",
    "PHP": "php",
    "C#": "cs",
    "Go": "go",
    "TypeScript": "ts tsx",
    "SQL": "sql",
    "Ruby": "rb",
    "Rust": "rs",
    "Jupyter Notebook": "ipynb",
    "Scala": "scala",
    "Kotlin": "kt kts",
    "Shell": "sh bash",
    "Dart": "dart",
    "Swift": "swift",
    "CSS": "css",
    "Cuda": "cu",
    "Cython": "pyx pxd",
    "HTML": "html",
    "Markdown": "md",
    "Perl": "pl pm",
}
_BY_EXTENSION = {extension: language for language, names in _EXTENSIONS.items() for extension in names.split()}


def language_of(path: PurePath) -> str | None:
    """The language, or None for a file that is not source code of a known one."""
    return _BY_EXTENSION.get(path.suffix.removeprefix(".").lower())

"""Packages that are missing or broken: one message that names what to install, by the package's own metadata."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snowcoder.errors import OperationError, SnowcoderError, UserError

# Where the package that is installed has another name than the module that is imported.
_INSTALLED_AS = {
    "bs4": "beautifulsoup4",
    "enry": "enry-python",
    "hydra": "hydra-core",
    "megatron": "megatron-core",
    "mlflow": "mlflow-skinny",
    "sklearn": "scikit-learn",
}


@contextmanager
def explained(verb: str) -> Iterator[None]:
    """Turns a failed import of a package that `verb` needs into a message. Other errors pass, ours included."""
    try:
        yield
    except SnowcoderError:
        raise
    except Exception as error:
        if told := _explain(error, verb):
            raise told from None
        raise


def package_of(module: str) -> str:
    return _INSTALLED_AS.get(module, canonicalize_name(module))


def install_command(package: str, verb: str = "") -> str:
    """By the extra of the verb's name, else the smallest one that has the package."""
    extras = [extra for extra, requirement in _requirements() if extra and requirement.name == package]
    if not extras:
        return f"pip install '{_with_versions(package)}'"
    sizes = Counter(extra for extra, _ in _requirements())
    own = verb.partition(" ")[0]
    return f"pip install 'snowcoder[{own if own in extras else min(extras, key=lambda extra: sizes[extra])}]'"


def _with_versions(package: str) -> str:
    return next((f"{package}{each.specifier}" for _, each in _requirements() if each.name == package), package)


def _requirements() -> list[tuple[str, Requirement]]:
    """What snowcoder was installed to need: the extra, empty for what it always needs, and the package."""
    try:
        texts = metadata.requires("snowcoder") or []
    except metadata.PackageNotFoundError:  # run from a folder
        return []
    requirements = [(text.partition("extra == ")[2].strip("'\""), Requirement(text)) for text in texts]
    for _, requirement in requirements:
        requirement.name = canonicalize_name(requirement.name)
    return requirements


def _explain(error: Exception, verb: str) -> SnowcoderError | None:
    packages = {requirement.name for _, requirement in _requirements()}
    if isinstance(error, ModuleNotFoundError) and (package := package_of(error.name or "")) in packages:
        return UserError(f"`snowcoder {verb}` needs {package}: {install_command(package, verb)}")
    package = package_of(_broken_module(error))
    if package not in packages:
        return None
    lacking = package_of((error.name or "").partition(".")[0]) if isinstance(error, ModuleNotFoundError) else package
    if lacking != package:
        return UserError(f"`snowcoder {verb}` needs {package}, which needs {lacking} besides: pip install {lacking}")
    return OperationError(
        f"`snowcoder {verb}` needs {package}, which is installed here but cannot be imported "
        f"({type(error).__name__}: {error}): pip install --force-reinstall '{_with_versions(package)}'"
    )


def _broken_module(error: Exception) -> str:
    """The first module, not of ours, in whose own import the error arose; empty if it arose elsewhere."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if frame.f_code.co_name == "<module>" and module not in ("snowcoder", "__main__"):
            found: str = module
            return found
    # A module in machine code has no frames.
    return (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""

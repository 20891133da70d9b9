"""Packages that are missing or broken: one message that names what to install, by the package's own metadata."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.verbs import extra_of

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


def require(*modules: str) -> None:
    """Raises ModuleNotFoundError for the first that is not installed: before processes are started that import it."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def install_command(package: str, verb: str = "") -> str:
    """By the extra of the verb's role if that has the package, else by the smallest one that has it."""
    requirements = _requirements()
    extras = {extra: _packages_of(extra, requirements) for extra, _ in requirements if extra}
    having = {extra: packages for extra, packages in extras.items() if package in packages}
    if not having:
        return f"pip install '{_with_versions(package)}'"
    own = extra_of(verb)
    return f"pip install 'snowcoder[{own if own in having else min(having, key=lambda extra: len(having[extra]))}]'"


def _packages_of(extra: str, requirements: list[tuple[str, Requirement]]) -> set[str]:
    """Of an extra, and of those that it is made of."""
    own = [requirement for each, requirement in requirements if each == extra]
    inner = {name for requirement in own if requirement.name == "snowcoder" for name in requirement.extras}
    found = {requirement.name for requirement in own} - {"snowcoder"}
    return found.union(*(_packages_of(name, requirements) for name in inner))


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

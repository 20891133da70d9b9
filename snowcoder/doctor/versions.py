"""Python and packages against the ranges that snowcoder was installed for, and what CUDA needs."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

import torch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from snowcoder.config.schema import Config
from snowcoder.doctor.finding import Finding, Level
from snowcoder.model.fp8 import device_problem
from snowcoder.model.platform import slow_dtype
from snowcoder.packages import install_command

_SHOWN = ("torch", "megatron-core", "transformer-engine")


def version_findings(config: Config) -> Iterator[Finding]:
    wrong = [*dict.fromkeys([*_python(), *_packages()])]  # a package may be in several extras
    yield from (Finding("problem", "versions", text) for text in wrong)
    if not wrong:
        shown = ", ".join(f"{name} {version}" for name in _SHOWN if (version := installed(name)))
        yield Finding("ok", "versions", f"Python {platform.python_version()}, {shown}: all in the ranges of snowcoder")
    yield from _cuda(config)


def _python() -> Iterator[str]:
    wanted = metadata.metadata("snowcoder")["Requires-Python"]
    if not SpecifierSet(wanted or "").contains(platform.python_version(), prereleases=True):
        yield f"Python {platform.python_version()}: needs {wanted}"


def _packages() -> Iterator[str]:
    """Packages that are missing or out of range; of extras, those that are there."""
    extras = metadata.metadata("snowcoder").get_all("Provides-Extra") or []
    for requirement in map(Requirement, metadata.requires("snowcoder") or []):
        if not _applies(requirement, ["", *extras]):
            continue
        version = installed(requirement.name)
        marker = requirement.marker
        needed = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", "train"))
        if version is None and needed:
            yield f"{requirement.name} is not installed: `{install_command(requirement.name, 'train')}`"
        elif version is not None and not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} {version}: snowcoder needs {requirement.specifier}"


def _applies(requirement: Requirement, extras: list[str]) -> bool:
    """To this Python, with any extra."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cuda(config: Config) -> Iterator[Finding]:
    if config.launch.python:
        text = f"ranks run by {' '.join(config.launch.python)}, whose packages are not looked at from here"
        yield Finding("ok", "cuda", text)
        return
    engine = installed("transformer-engine") is not None
    for key, wanted in {
        f"precision.fp8={config.precision.fp8}": config.precision.fp8 != "none",
        f"parallel.context={config.parallel.context}": config.parallel.context > 1,
    }.items():
        if wanted and not engine:
            how = install_command("transformer-engine")
            yield Finding("problem", "cuda", f"{key} needs Transformer Engine: `{how}`")
    if torch.version.cuda is None:
        # On a cluster it is hardly what is meant, but a way to try things out.
        level: Level = "warning" if config.launch.kind == "slurm" else "ok"
        yield Finding(level, "cuda", "torch is a build without CUDA: ranks train on the CPU")
        if slow := slow_dtype(config.precision.dtype):
            yield Finding("warning", "cuda", slow)
        return
    nccl = ".".join(map(str, torch.cuda.nccl.version())) if torch.distributed.is_nccl_available() else "none"
    here = f"{torch.cuda.device_count()} GPU(s)" if torch.cuda.is_available() else "no GPU"
    missing = "" if engine else "; without Transformer Engine attention is torch's"
    if problem := _device(config):
        yield Finding("problem" if config.launch.kind == "local" else "warning", "cuda", problem)
    yield Finding("ok", "cuda", f"CUDA {torch.version.cuda}, NCCL {nccl}, {here} on this machine{missing}")


def _device(config: Config) -> str | None:
    """What the GPU of this machine lacks for `precision.fp8`; under Slurm, nodes may have others."""
    if not torch.cuda.is_available():
        return None
    return device_problem(config.precision.fp8, torch.cuda.get_device_capability(), torch.cuda.get_device_name())

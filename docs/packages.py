"""The page of what snowcoder installs: the size of each role, and the licence of each package.

`python docs/packages.py > docs/packages.md`, in the environment of `make env`; sizes are of the machine it runs on.
"""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snowcoder.verbs import VERBS

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# What is for snowcoder's own developers is not run by its users.
RUNTIME = [extra for extra in EXTRAS if extra not in ("bench", "dev", "docs")]

_PYTHON = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
_HEAD = """# Packages

Made from the metadata of what is installed: `python docs/packages.py > docs/packages.md`.

## By role

Every role needs the base. What a verb needs besides is in an extra: `snowcoder help VERB` names it, and so does a verb
that lacks it. In a checkout:

```
pip install -e .                  # the base
pip install -e '.[corpus]'        # someone who prepares data
pip install -e '.[train,report]'  # someone who trains
pip install -e '.[cluster]'       # all stages, on nodes with GPUs: docs/cluster.md
```
"""
_LICENCES = """## Licences

As packages say of themselves. Permissive are Apache-2.0, MIT, BSD, PSF-2.0, ISC, Zlib and their like. Besides: the
wheels of numpy, scipy and scikit-learn carry GCC's runtime libraries (GPL, with its exception for programs that use
them), and torch's CUDA build brings NVIDIA's libraries, which are proprietary; its CPU build has none of them.
"""
# How packages spell it, where they have no SPDX expression.
_SPDX = {
    r"apache.*": "Apache-2.0",
    r"mit( license)?": "MIT",
    r"(bsd 3-clause|3-clause bsd)( license)?": "BSD-3-Clause",
    r"bsd( license)?": "BSD",
    r"python software foundation license": "PSF-2.0",
    r"mozilla public license 2\.0 \(mpl 2\.0\)": "MPL-2.0",
    r"isc license.*": "ISC",
}
# Of packages whose metadata have none: as their licence files, or their repositories, say.
_ELSEWHERE = {"daft": "Apache-2.0", "transformer-engine": "Apache-2.0", "triton": "MIT"}
_PERMISSIVE = {"0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC"}
_PERMISSIVE |= {"LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "TCL", "Zlib"}
# Of extras that are no verb's.
_FOR = {
    "cluster": "all stages, on nodes with GPUs",
    "cuda": "fp8 and context parallelism, by Transformer Engine",
    "guided": "decoding beside a completion engine and a grammar",
    "mlflow": "`logging.mlflow`",
    "models": "part of others: models in Hugging Face's format",
    "prometheus": "`logging.prometheus`",
    "ray": "`corpus.engine.kind=ray`: corpus and scores on many nodes",
    "wandb": "`logging.wandb`",
}


def page() -> str:
    return "\n".join([_HEAD, *_roles(), "", _LICENCES, *_licences()]) + "\n"


def direct(extras: Iterable[str] = RUNTIME) -> dict[str, list[str]]:
    """What pyproject.toml names: package -> extras that have it, "" for what is always installed."""
    found: dict[str, dict[str, None]] = {}  # extras in order, each once: a package may have two markers
    for extra, texts in [("", PROJECT["dependencies"]), *((extra, EXTRAS[extra]) for extra in extras)]:
        for requirement in map(Requirement, texts):
            found.setdefault(canonicalize_name(requirement.name), {})[extra] = None
    found.pop("snowcoder")
    return {package: [*extras] for package, extras in found.items()}


def installed_by(extra: str = "") -> dict[str, metadata.Distribution | None]:
    """All that comes with an extra, the base included; None: not installed in this environment."""
    found: dict[tuple[str, str], metadata.Distribution | None] = {}
    _follow([*PROJECT["dependencies"], *EXTRAS.get(extra, [])], "", found)
    return {name: distribution for (name, _), distribution in found.items()}


def _follow(texts: Iterable[str], of: str, found: dict[tuple[str, str], metadata.Distribution | None]) -> None:
    for requirement in map(Requirement, texts):
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": of}):
            continue
        if name == "snowcoder":
            _follow((text for extra in requirement.extras for text in EXTRAS[extra]), "", found)
            continue
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found[name, extra] = distribution = _distribution(name)
                _follow((distribution.requires or []) if distribution else [], extra, found)


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _roles() -> Iterator[str]:
    yield "| extra | for | packages | MB |"
    yield "| --- | --- | --- | --- |"
    for extra in ["", *RUNTIME]:
        packages = installed_by(extra)
        size = sum(_size(distribution) for distribution in packages.values() if distribution)
        absent = "".join(f", and {name}" for name, distribution in packages.items() if not distribution)
        verbs = _FOR.get(extra) or ", ".join(f"`{name}`" for name, verb in VERBS.items() if verb.extra == extra)
        yield f"| {f'`{extra}`' if extra else 'the base'} | {verbs} | {len(packages)} | {size / 1e6:,.0f}{absent} |"
    torch = _distribution("torch")
    version = torch.version if torch else "not installed"
    yield ""
    yield f"The base is in each number. MB as installed, by what packages list: Python {_PYTHON}, torch {version}."


def _size(distribution: metadata.Distribution) -> int:
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _licences() -> Iterator[str]:
    named = direct()
    every = {name: distribution for extra in ["", *RUNTIME] for name, distribution in installed_by(extra).items()}
    odd = {name: text for name in sorted(every) if not is_permissive(text := licence_of(name))}
    yield f"Not permissive: {', '.join(f'{name} ({text})' for name, text in odd.items())}."
    yield ""
    yield "| package | licence | extras |"
    yield "| --- | --- | --- |"
    for name, extras in sorted(named.items()):
        yield f"| {name} | {licence_of(name)} | {', '.join(extra or 'always' for extra in extras)} |"
    yield ""
    yield "What these bring along:"
    yield ""
    yield "| package | licence |"
    yield "| --- | --- |"
    yield from (f"| {name} | {licence_of(name)} |" for name in sorted(every.keys() - named.keys()))


def licence_of(name: str) -> str:
    """As SPDX has it: the package's expression, or else what its other metadata come to."""
    distribution = _distribution(name)
    if distribution is None or name in _ELSEWHERE:
        return _ELSEWHERE.get(name, "not installed here")
    about = {key: distribution.metadata.get_all(key) or [] for key in ("License-Expression", "License", "Classifier")}
    found, said = ("".join(about[key]).strip().partition("\n")[0] for key in ("License-Expression", "License"))
    classes = [each.rpartition(" :: ")[2] for each in about["Classifier"] if each.startswith("License :: ")]
    return found or _spdx(said) or " OR ".join(filter(None, map(_spdx, classes))) or "not said"


def _spdx(said: str) -> str:
    """Empty for what is no licence's name, such as its whole text."""
    said = said.rpartition(" :: ")[2]
    known = (name for spelt, name in _SPDX.items() if re.fullmatch(spelt, said, re.IGNORECASE))
    return next(known, said if re.fullmatch(r"[A-Z][\w.-]*\d[\w.-]*( (AND|OR) [\w.-]+)*|MIT.*", said) else "")


def is_permissive(licence: str) -> bool:
    return set(re.findall(r"[\w.-]+", licence)) - {"AND", "OR", "WITH"} <= _PERMISSIVE


if __name__ == "__main__":
    print(page(), end="")

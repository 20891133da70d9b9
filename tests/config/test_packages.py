"""Each verb names the extra that it lacks; a package that is there and broken is not called missing."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from snowcoder import packages as packages_module
from snowcoder.errors import UserError
from snowcoder.packages import explained
from tests.tiny import tiny_overrides

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
SERVER = ["evaluation.generation.backend=server", "evaluation.generation.server=http://127.0.0.1:9/v1"]
SERVER += ["evaluation.bits.source=null"]
RAY = ["corpus.engine.kind=ray"]
ALL = ["accelerate", "aiohttp", "datasets", "mlflow", "nncf", "openai", "openvino", "ray", "sklearn", "trl", "wandb"]


class Case(NamedTuple):
    verb: str
    more: list[str]
    hidden: list[str]
    code: int
    said: str


CASES = [
    Case("corpus build", RAY, ALL, 2, "needs ray: pip install 'snowcoder[ray]'"),
    Case("annotate train", [], ALL, 2, "needs scikit-learn: pip install 'snowcoder[annotate]'"),
    Case("annotate train", [], ["accelerate"], 2, "needs accelerate: pip install 'snowcoder[annotate]'"),
    Case("annotate score", [], ALL, 2, "needs openvino: pip install 'snowcoder[annotate]'"),
    Case("synthesize", [], ALL, 2, "needs aiohttp: pip install 'snowcoder[synthesize]'"),
    Case("synthesize", [], ["openai"], 2, "needs openai: pip install 'snowcoder[synthesize]'"),
    Case("synthesize report", [], ALL, 2, "needs scikit-learn: pip install 'snowcoder[synthesize]'"),
    Case("evaluate", SERVER, ALL, 2, "needs openai: pip install 'snowcoder[evaluate]'"),
    Case("finetune", [], ALL, 2, "needs datasets: pip install 'snowcoder[finetune]'"),
    Case("finetune", [], ["trl"], 2, "needs trl: pip install 'snowcoder[finetune]'"),
    # What is always needed, as after `pip install --no-deps`.
    Case("corpus build", [], ["daft"], 2, "needs daft: pip install 'daft"),
    # There, and broken.
    Case("corpus build", RAY, [], 1, "needs ray, which is installed here but cannot be imported (ImportError: lib"),
    Case("annotate score", [], [], 1, "needs openvino, which is installed here but cannot be"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Of all cases, by one process, for it takes seconds to import torch."""
    folder = tmp_path_factory.mktemp("packages")
    overrides = a_run(folder)
    environment = {**os.environ, "PYTHONPATH": f"{packages(folder)}:{ROOT}"}
    commands = [(case.hidden, [*case.verb.split(), *overrides, *case.more]) for case in CASES]
    done = subprocess.run(
        [sys.executable, "-m", "tests.config.without_packages"],
        input=json.dumps(commands),
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[tuple[int, str]] = json.loads(done.stdout)
    return found


def a_run(folder: Path) -> list[str]:
    """As much as verbs want to see before they import what they need late."""
    (folder / "shards" / "crawl").mkdir(parents=True)
    with gzip.open(folder / "shards" / "crawl" / "0.jsonl.gz", "wt") as shard:
        shard.write(json.dumps({"content": "print()", "repo_name": "a", "path": "a.py", "language": "Python"}))
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello"}]
    (folder / "chat.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    more = [f"finetune.chat=[{folder}/chat.jsonl]", "finetune.model=none", "evaluation.suites=[humaneval]"]
    return tiny_overrides(folder / "run", f"storage.root={folder}/shards", "evaluation.first=1", *more)


def packages(folder: Path) -> Path:
    """A folder with snowcoder's metadata as of now, and two packages that are broken."""
    folder = folder / "packages"
    for package, text in {
        "ray": "raise ImportError('libray.so: cannot open shared object file')",
        "openvino": "import openvino._machine_code",
    }.items():
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(text)
    name, version = PROJECT["name"], PROJECT["version"]
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in PROJECT["dependencies"]]
    lines += [in_metadata(text, extra) for extra, texts in EXTRAS.items() for text in texts]
    (folder / f"{name}-{version}.dist-info").mkdir()
    (folder / f"{name}-{version}.dist-info" / "METADATA").write_text("\n".join(lines) + "\n")
    return folder


def in_metadata(text: str, extra: str) -> str:
    """As builders write an extra's requirement, which may have a marker of its own."""
    requirement, _, marker = text.partition(";")
    own = f"({marker.strip()}) and " if marker else ""
    return f"Requires-Dist: {requirement}; {own}extra == '{extra}'"


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{c.verb} without {c.said.split()[1]}" for c in CASES])
def test_a_verb_names_what_it_lacks(outcomes: list[tuple[int, str]], number: int) -> None:
    case, (code, said) = CASES[number], outcomes[number]
    assert f"snowcoder: `snowcoder {case.verb}` {case.said}" in said
    assert code == case.code
    assert "Traceback" not in said


def test_what_a_package_needs_and_does_not_declare_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As megatron-core triton, which torch's CPU build does not bring."""
    (tmp_path / "needy.py").write_text("import not_there.inside")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(packages_module, "_requirements", lambda: [("", Requirement("needy"))])
    told = pytest.raises(UserError, match="needs needy, which needs not-there besides: pip install not-there")
    with told, explained("train"):
        import needy  # type: ignore[import-not-found]  # noqa: F401


def test_an_error_of_ours_is_none_of_a_package() -> None:
    with pytest.raises(ImportError, match="no_such_name"), explained("train"):
        from snowcoder.errors import no_such_name  # type: ignore[attr-defined]  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"snowcoder\.nowhere"), explained("train"):
        import snowcoder.nowhere  # noqa: F401


def test_extras_are_made_of_extras_that_exist() -> None:
    named = {name for texts in EXTRAS.values() for text in texts for name in re.findall(r"snowcoder\[(.*)\]", text)}
    assert named
    assert all(set(each.split(",")) <= EXTRAS.keys() for each in named)
    # slurm/corpus.sh and slurm/score.sh start Ray, score.sh the annotator.
    assert {"ray", "annotate", "cuda"} <= set(re.findall(r"\w+", EXTRAS["cluster"][0]))

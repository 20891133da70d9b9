"""All pages: their links lead somewhere, what they name is there, their commands and recipes are understood."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml

from snowcoder import cli
from snowcoder.config.compose import conf_dir, load_config
from snowcoder.config.schema import Config
from tests.docs.pages import PAGES, ROOT, anchors, blocks, name_of, prose, section

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)
MADE_BY_READERS = {"conf/recipe/mine.yaml"}
# bash itself reads a page's commands, finds none of their programs, and says which it was told to run.
SAY = "set +m; command_not_found_handle() { printf '%s\\x1f' \"$@\"; echo; }\n"


@each_page
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if "://" not in link and (not target.is_file() or (anchor and anchor not in anchors(target))):
            broken.append(link)
    assert broken == []


@each_page
def test_files_and_modules_that_it_names_exist(page: Path) -> None:
    text = page.read_text()
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isalpha())
    named = {name.rstrip(".") for name in re.findall(rf"(?<![\w./:{{}}>-])(?:{folders})/[\w./*-]+", text)}
    missing = {name for name in named - MADE_BY_READERS if not any(ROOT.glob(name.removesuffix("/")))}
    assert {name for name in missing if not is_of_a_run(name)} == set()
    modules = re.findall(r"(?<![\w./-])(?:snowcoder|benchmarks|tests)(?:\.[a-z_]\w*)+", text)
    assert [name for name in modules if not is_module(name) and not (ROOT / name).exists()] == []


def is_of_a_run(name: str) -> bool:
    """Below `run.dir` or `storage.root`, not of the project."""
    return name.startswith(("runs/", "tokenizer/", "site/"))


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@each_page
def test_commands_are_understood(page: Path, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_start", compose)
    for block in blocks(page.read_text()):
        for words in commands(block, conf):
            check(words)


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the configs with the README's recipe."""
    shutil.copytree(conf_dir(), tmp_path / "conf")
    (recipe,) = blocks(section("My own repositories"), "yaml")
    (tmp_path / "conf" / "recipe" / "mine.yaml").write_text(recipe)
    monkeypatch.setenv("SNOWCODER_CONF", str(tmp_path / "conf"))
    return tmp_path


def commands(block: str, folder: Path) -> Iterator[list[str]]:
    text = re.sub(r"^(?=slurm/)", "run ", block, flags=re.MULTILINE)
    bash = [shutil.which("bash") or "", "-c", SAY + text]
    nothing = {"PATH": "/nowhere", "HOME": str(folder)}
    done = subprocess.run(bash, cwd=folder, env=nothing, capture_output=True, text=True, check=False, timeout=60)
    assert "syntax error" not in done.stderr, done.stderr
    yield from (line.split("\x1f")[:-1] for line in done.stdout.splitlines() if "\x1f" in line)


def check(words: list[str]) -> None:
    program, *rest = words
    if program == "snowcoder":
        cli._call(rest)
    elif program in ("sbatch", "run"):
        (script,) = (word for word in rest if word.endswith(".sh"))
        assert (ROOT / script).is_file(), words
        _compose(tuple(word for word in rest if re.match(r"[a-z_.]+=", word)))
    elif program == "make":
        assert f"\n{rest[0]}:" in (ROOT / "Makefile").read_text(), words
    elif program == "python" and rest[0] == "-m" and "." in rest[1]:
        assert is_module(rest[1]), words
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        asked = re.findall(r"(?:\.|snowcoder)\[([\w,]+)\]", " ".join(rest))
        assert {extra for group in asked for extra in group.split(",")} <= extras.keys(), words


def compose(name: str, overrides: list[str], positional: list[str]) -> None:
    """In the place of a verb's function: its config only."""
    if cli.VERBS[name].reads != "folder":
        _compose(tuple(overrides))


@cache
def _compose(overrides: tuple[str, ...]) -> None:
    load_config(list(overrides))


@each_page
def test_commands_within_its_text_are_understood(page: Path, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_start", compose)
    for command in re.findall(r"`((?:snowcoder|sbatch|make|slurm/\S+\.sh) [^`]+)`", prose(page)):
        verb = re.match(r"snowcoder ([a-z]+)", command)
        assert not verb or verb[1] in {"help", *(name.split()[0] for name in cli.VERBS)}, command
        if command.startswith("make ") or re.search(r" \S+=(?!\S*(?:[|<]|\.\.\.|[A-Z]{3}))", command):
            for words in commands(command.replace(" ...", ""), conf):
                check(words)


@each_page
def test_keys_and_choices_that_it_names_exist(page: Path) -> None:
    text = prose(page)
    keys = re.findall(r"(?<![\w.:/])([a-z_]+(?:\.[a-z_\d]+)+)(?![\w./])", " ".join(re.findall(r"`[^`]+`", text)))
    assert [key for key in keys if key.split(".")[0] in Config.model_fields and not is_key(key)] == []
    choices = [(group, name) for group, names in re.findall(r"`(\w+)=([\w|]+)`", text) for name in names.split("|")]
    groups = {path.name for path in (ROOT / "conf").iterdir()}
    assert [pair for pair in choices if pair[0] in groups and not (ROOT / f"conf/{'/'.join(pair)}.yaml").exists()] == []


def is_key(name: str) -> bool:
    """Whether a config can have it, or it is a file (`index.html`)."""
    kind: Any = Config
    for part in name.split("."):
        fields = getattr(kind, "model_fields", {})
        if part not in fields and get_origin(kind) is not dict:
            return part in ("html", "json", "yaml", "md", "sh", "py", "jsonl")
        kind = without_none(fields[part].annotation if part in fields else get_args(kind)[1])
    return True


def without_none(kind: Any) -> Any:
    """`X` of `X | None`."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if type(None) in get_args(kind) else kind


@each_page
def test_its_yaml_can_be_read(page: Path) -> None:
    for block in blocks(page.read_text(), "yaml"):
        assert isinstance(yaml.safe_load(block), dict)


def test_the_site_has_all_pages() -> None:
    contents = (ROOT / "docs" / "conf.py").read_text()
    names = [name_of(page).removesuffix(".md") for page in PAGES if page.name != "README.md"]
    assert [name for name in names if f'"{name}"' not in contents] == []


def test_the_results_are_those_of_the_benchmarks() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .*?\| ([\d.,]+ \|.*) \|$", page_of("results"), re.MULTILINE))
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        of = json.loads(path.read_text())
        cells = [cell.strip().replace(",", "") for cell in rows[of["name"]].split("|")]
        assert cells == [str(of[key]) for key in ("ours", "peer", "unit", "ratio")] + [of["machine"]["date"]]


def page_of(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def test_the_readme_has_one_sentence_a_line() -> None:
    text = re.sub(r"`[^`]+`|\([^)]*\)", "x", prose(ROOT / "README.md"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if re.search(r"[\w)][.?!] +\w", line) or line[-1] not in ".:"] == []


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    (line,) = (line for line in lines if "-m sphinx" in line)
    options = line.split("-m sphinx ")[1].removesuffix(" . site").split()
    command = [sys.executable, "-m", "sphinx", *options, ".", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    hosts = [
        re.findall(r"(?:src|<link[^>]*href)=\"(?:https?:)?//[^\"]+", page.read_text())
        for page in tmp_path.rglob("*.html")
    ]
    assert not any(hosts)

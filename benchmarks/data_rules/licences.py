"""How often the licence rule errs, against what others say of the same texts.

    python -m benchmarks.data_rules.licences FOLDER...

A folder is one of three kinds:
- installed packages (site-packages, node_modules): the texts against the SPDX expression that a package declares;
- `vendor/licenses` of github-linguist/linguist: the texts of GitHub repositories against licensee's verdict;
- `src/licensedcode/data` of aboutcode-org/scancode-toolkit: licences that ScanCode calls permissive must pass if their
  identifier is on the list; MIT and Apache-2.0 with a proprietary text (200 to 6000 characters) after them must not.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

import yaml
from license_expression import get_spdx_licensing

from benchmarks.data_rules.arguments import arguments
from snowcoder.config.corpus_schema import LicencePolicyConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.licences import LicencePolicy, LicenceTree, is_licence_text

_POLICY = LicencePolicy(LicencePolicyConfig(allowed="permissive", also_allowed=[], unlicensed="drop", opt_out=None))
_RESTRICTED = {"Proprietary Free", "Source-available", "Free Restricted", "Commercial"}
_NOT_PERMISSIVE = {"mpl-2.0", "other"}  # of licensee's verdicts on what Linguist vendors


class Case(NamedTuple):
    group: str
    name: str
    texts: dict[str, str]
    permissive: bool


def main(folders: list[str]) -> None:
    wrong: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case in (case for folder in folders for case in _cases(Path(folder))):
        passes = _passes(_licences(case.texts))
        wrong[case.group][f"of {'permissive' if case.permissive else 'other'}"] += 1
        if passes != case.permissive:
            wrong[case.group]["refused" if case.permissive else "passed"] += 1
            print(f"{case.group}: {case.name}: {_licences(case.texts)}", file=sys.stderr)
    print(f"{'':32}{'permissive':>12}{'refused':>9}{'/1,000':>8}{'other':>8}{'passed':>8}{'/1,000':>8}")
    for group, counts in wrong.items():
        yes, no = counts["of permissive"], counts["of other"]
        cells = [
            yes,
            counts["refused"],
            _rate(counts["refused"], yes),
            no,
            counts["passed"],
            _rate(counts["passed"], no),
        ]
        print(f"{group:32}{cells[0]:>12}{cells[1]:>9}{cells[2]:>8}{cells[3]:>8}{cells[4]:>8}{cells[5]:>8}")


def _cases(folder: Path) -> Iterator[Case]:
    if (folder / "git_submodule").is_dir():
        return _linguist(folder)
    return _scancode(folder) if (folder / "licenses").is_dir() and (folder / "rules").is_dir() else _packages(folder)


def _packages(folder: Path) -> Iterator[Case]:
    for path in sorted([*folder.rglob("*.dist-info/METADATA"), *folder.rglob("package.json")]):
        python = path.name == "METADATA"
        declared = _declared(path, python)
        beside = path.parent.rglob("*") if python else path.parent.iterdir()
        root = path.parent.parent if python else path.parent
        texts = {file.relative_to(root).as_posix(): _read(file) for file in beside if file.is_file()}
        texts = {name: text for name, text in texts.items() if is_licence_text(name)}
        if declared and texts:
            yield Case("Python" if python else "JavaScript", path.parent.name, texts, _passes((declared,)))


def _declared(path: Path, python: bool) -> str | None:
    """A package's expression, if it is SPDX's."""
    text = _read(path)
    headers = HeaderParser().parsestr(text if python else "")
    found = headers["License-Expression"] or headers["License"] if python else json.loads(text).get("license")
    try:
        return (
            str(get_spdx_licensing().parse(found, validate=True))
            if isinstance(found, str) and len(found) < 200
            else None
        )
    except Exception:  # whatever the library raises: it is no expression
        return None


def _linguist(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.rglob("*.dep.yml")):
        record = yaml.safe_load(_read(path))
        named = [each for each in record["licenses"] if isinstance(each, dict) and each.get("sources")]
        texts = {Path(str(each["sources"]).split(",")[0]).name: each["text"] for each in named}
        texts = {name: text for name, text in texts.items() if is_licence_text(name)}
        if texts:
            yield Case("GitHub (Linguist)", path.name, texts, record["license"] not in _NOT_PERMISSIVE)


def _scancode(folder: Path) -> Iterator[Case]:
    records = {path.stem: _scancode_licence(path) for path in sorted((folder / "licenses").glob("*.LICENSE"))}
    plain = {key: each for key, each in records.items() if len(each[1]) > 20 and each[0].get("language", "en") == "en"}
    for key, (head, text) in plain.items():
        if head.get("is_exception") or head.get("is_deprecated"):
            continue
        if head["category"] in ("Permissive", "Public Domain") and _passes((str(head.get("spdx_license_key")),)):
            yield Case("ScanCode's texts", key, {"LICENSE": text}, True)
        elif head["category"] in _RESTRICTED and 200 < len(text) < 6000:
            for name in ("mit", "apache-2.0"):
                yield Case(f"{name} and a proprietary one", key, {"LICENSE": f"{records[name][1]}\n\n{text}"}, False)


def _scancode_licence(path: Path) -> tuple[dict[str, str], str]:
    head, _, text = _read(path).removeprefix("---\n").partition("\n---")
    return yaml.safe_load(head), text.partition("\n")[2].strip() + "\n"


def _licences(texts: dict[str, str]) -> tuple[str, ...]:
    tree = LicenceTree()
    for path, text in texts.items():
        tree.add(path, text)
    return tree.of("a.py")


def _passes(licences: tuple[str, ...]) -> bool:
    return _POLICY.fault(Document("", "owner/name", "a.py", "Python", licences)) is None


def _rate(wrong: int, of: int) -> str:
    return f"{1000 * wrong / of:.1f}" if of else "-"


def _read(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


if __name__ == "__main__":
    main(arguments("licences", "FOLDER..."))

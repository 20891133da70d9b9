"""Licences of a repository's files, and the policy on documents."""

from pathlib import Path

import pytest
import yaml

from snowcoder.config.compose import conf_dir
from snowcoder.config.corpus_schema import LicencePolicyConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.licences import (
    UNKNOWN,
    LicencePolicy,
    LicenceTree,
    detect_licences,
    is_licence_text,
    is_metadata,
    metadata_licence,
    tagged_licence,
)
from snowcoder.errors import UserError
from tests.corpus.repositories import licence_of

MIT, APACHE, BSD, MPL = map(licence_of, ("pydantic", "transformers", "jinja2", "hypothesis"))
PROPRIETARY = "Copyright A. All rights reserved. No part of this may be used without our written consent.\n" * 9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIT, ("MIT",)),
        (APACHE, ("Apache-2.0",)),
        (BSD, ("BSD-3-Clause",)),
        (MPL, ("MPL-2.0",)),
        (MIT + APACHE, ("Apache-2.0", "MIT")),
        ("The credits of many people.\n" * 20 + BSD, ("BSD-3-Clause",)),
        ("This is under the MIT licence.\n", ()),
        (PROPRIETARY, ()),
        ("", ()),
    ],
)
def test_licences_are_known_by_their_texts(text: str, expected: tuple[str, ...]) -> None:
    assert detect_licences(text) == expected


def test_files_that_may_tell_a_licence() -> None:
    yes = "LICENSE LICENCE.md a/COPYING COPYING.LESSER LICENSE-MIT LICENSE_APACHE.txt UNLICENSE MIT-LICENSE LICENSES/x"
    assert [path for path in yes.split() if not is_licence_text(path)] == []
    no = "license.py src/licenses/view.tsx licensing.md README.md copying.c a/LICENSE/b.py licence.json licenses/a.tpl"
    assert [path for path in no.split() if is_licence_text(path)] == []
    assert is_metadata("a/package.json")
    assert is_metadata("a-1.0.dist-info/METADATA")
    assert not is_metadata("METADATA")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("package.json", '{"license": "MIT"}', "MIT"),
        ("package.json", '{"license": {"type": "isc"}}', "ISC"),
        ("package.json", '{"license": "SEE LICENSE IN x"}', UNKNOWN),
        ("package.json", '{"license": "UNLICENSED"}', UNKNOWN),
        ("package.json", "[1]", None),
        ("package.json", "{", None),
        ("composer.json", '{"license": ["MIT", "GPL-2.0-only"]}', "MIT OR GPL-2.0-only"),
        ("a/Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"', "MIT OR Apache-2.0"),
        ("a/Cargo.toml", "[package]\nlicense.workspace = true", None),
        ("a/Cargo.toml", "package = 1", None),
        ("pyproject.toml", '[project]\nlicense = "BSD-3-Clause"', "BSD-3-Clause"),
        ("a-1.dist-info/METADATA", "Name: a\nLicense-Expression: Apache-2.0\n\nProse", "Apache-2.0"),
        ("PKG-INFO", "Name: a\nLicense: some prose\n", None),
    ],
)
def test_packages_declare_licences(path: str, text: str, expected: str | None) -> None:
    assert metadata_licence(path, text) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("// SPDX-License-Identifier: MIT\nint a;\n", "MIT"),
        (
            "/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */\n",
            "GPL-2.0-only WITH Linux-syscall-note",
        ),
        ("<!-- SPDX-License-Identifier: mit or apache-2.0 -->", "MIT OR Apache-2.0"),
        ("# SPDX-License-Identifier: no such thing\n", UNKNOWN),
        ("\n" * 5000 + "# SPDX-License-Identifier: MIT\n", None),
        ("int a;\n", None),
    ],
)
def test_a_files_own_tag(content: str, expected: str | None) -> None:
    assert tagged_licence(content) == expected


def tree(**files: str | None) -> LicenceTree:
    found = LicenceTree()
    for path, text in files.items():
        found.add(path, text)
    return found


def test_the_nearest_licence_up_the_tree_tells_a_files() -> None:
    found = tree(**{"LICENSE": MIT, "lib/x/COPYING": BSD, "crate/Cargo.toml": '[package]\nlicense = "ISC"'})
    expected = {
        "a.py": "MIT",
        "lib/a.py": "MIT",
        "lib/x/a/b.py": "BSD-3-Clause",
        "crate/src/a.rs": "ISC",
        "lib/xy.c": "MIT",
    }
    assert {path: found.of(path) for path in expected} == {path: (licence,) for path, licence in expected.items()}
    assert tree().of("a.py") == ()


def test_all_licences_of_a_folder_apply() -> None:
    assert tree(LICENSE=MIT, COPYING=MPL).of("a.py") == ("MIT", "MPL-2.0")


def test_a_choice_is_in_the_packages_description() -> None:
    texts = {"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}
    found = tree(**texts, **{"Cargo.toml": '[package]\nlicense = "MIT OR Apache-2.0"'})
    assert found.of("src/a.rs") == ("MIT OR Apache-2.0",)
    found = tree(**texts, **{"Cargo.toml": '[package]\nlicense = "MIT"'})
    assert found.of("src/a.rs") == ("Apache-2.0", "MIT")  # a text that the description does not know counts


def test_a_licence_that_is_none_of_spdxs_is_not_no_licence() -> None:
    assert tree(LICENSE=PROPRIETARY).of("a.py") == (UNKNOWN,)
    assert tree(LICENSE=None).of("a.py") == (UNKNOWN,)  # too long, damaged or not text
    assert tree(**{"LICENSE-EE": PROPRIETARY, "LICENSE": MIT}).of("a.py") == (UNKNOWN, "MIT")


def test_a_pointer_counts_only_where_nothing_else_is() -> None:
    pointer = "Either of the licences in LICENSE.MIT or LICENSE.BSD.\n"
    assert tree(**{"LICENSE": pointer, "LICENSE.MIT": MIT}).of("a.py") == ("MIT",)
    assert tree(LICENSE=pointer).of("a.py") == (UNKNOWN,)


def test_a_wheels_licence_covers_its_packages() -> None:
    assert tree(**{"a-1.dist-info/licenses/LICENSE": MIT}).of("a/b.py") == ("MIT",)
    assert tree(**{"x/LICENSES/MIT.txt": MIT}).of("x/b.py") == ("MIT",)


DEFAULT = LicencePolicyConfig(**yaml.safe_load((conf_dir() / "licence_policy" / "permissive.yaml").read_text()))


def document(*licences: str, repository: str = "owner/name") -> Document:
    return Document("x = 1\n", repository, "a.py", "Python", licences)


@pytest.mark.parametrize(
    ("licences", "fault"),
    [
        (["MIT"], None),
        (["Apache-2.0", "BSD-3-Clause"], None),
        (["public-domain"], None),
        (["MIT OR GPL-3.0-only"], None),
        (["Apache-2.0 WITH LLVM-exception"], None),
        (["(MIT AND ISC) OR GPL-2.0-only"], None),
        ([], "no licence"),
        (["GPL-3.0"], "licence not permissive"),
        (["MIT", "GPL-3.0"], "licence not permissive"),
        (["MIT AND GPL-3.0-only"], "licence not permissive"),
        (["MPL-2.0"], "licence not permissive"),
        (["GPL-2.0-only WITH Classpath-exception-2.0"], "licence not permissive"),
        ([UNKNOWN], "licence not permissive"),
        (["()LicenseRef-x"], "licence not permissive"),
        (["(/or MIT"], "licence not permissive"),
        (["(" * 10_000], "licence not permissive"),
        (["no such thing ("], "licence not permissive"),
    ],
)
def test_permissive_licences_alone_are_allowed(licences: list[str], fault: str | None) -> None:
    assert LicencePolicy(DEFAULT).fault(document(*licences)) == fault


def test_the_policy_is_the_users() -> None:
    kept = LicencePolicy(DEFAULT.model_copy(update={"unlicensed": "keep"}))
    assert [kept.fault(document()), kept.fault(document("GPL-3.0"))] == [None, "licence not permissive"]
    wider = LicencePolicy(DEFAULT.model_copy(update={"also_allowed": ["MPL-2.0"]}))
    assert [wider.fault(document("MPL-2.0")), wider.fault(document("GPL-3.0"))] == [None, "licence not permissive"]
    assert LicencePolicy(DEFAULT.model_copy(update={"allowed": "any"})).fault(document("GPL-3.0")) is None


def test_owners_opt_out(tmp_path: Path) -> None:
    names = tmp_path / "opt-out.txt"
    names.write_text("# asked for\nOwner/Name   # a repository\n\nothers/*\n")
    policy = LicencePolicy(DEFAULT.model_copy(update={"opt_out": str(names), "allowed": "any"}))
    repositories = ["owner/name", "OWNER/name", "others/a", "others/a/b", "owner/name2", "others2/a", "name"]
    faults = [policy.fault(document("MIT", repository=name)) for name in repositories]
    assert faults == ["opted out"] * 4 + [None] * 3
    addresses = ["https://github.com/Owner/Name.git", "git@github.com:others/b.git", "github.com/owner/name/"]
    assert [policy.fault(document("MIT", repository=name)) for name in addresses] == ["opted out"] * 3


@pytest.mark.parametrize("line", ["*", "owner/n*", "two names", "*/name", "a/b/*"])
def test_a_line_of_the_opt_out_list_that_is_no_name_is_an_error(tmp_path: Path, line: str) -> None:
    names = tmp_path / "opt-out.txt"
    names.write_text(f"owner/name\n{line}\n")
    with pytest.raises(UserError, match="line 2"):
        LicencePolicy(DEFAULT.model_copy(update={"opt_out": str(names)}))
    with pytest.raises(UserError, match="cannot read the opt-out list"):
        LicencePolicy(DEFAULT.model_copy(update={"opt_out": str(tmp_path / "nowhere")}))

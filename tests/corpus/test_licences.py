"""Licences of a repository's files, and the policy on documents."""

from pathlib import Path

import pytest
import yaml

from snowcoder.config.compose import conf_dir
from snowcoder.config.corpus_schema import LicencePolicyConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.labelled import HELD_OUT, TUNED
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
from snowcoder.corpus.licences.evaluate import evaluate
from snowcoder.corpus.licences.names import copyleft
from snowcoder.corpus.licences.restrictions import restrictions
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
        ("This is under the MIT licence.\n", ("MIT",)),
        (PROPRIETARY, ()),
        ("", ()),
    ],
)
def test_licences_are_known_by_their_texts(text: str, expected: tuple[str, ...]) -> None:
    assert detect_licences(text) == expected


@pytest.mark.parametrize(
    ("rider", "expected"),
    [
        ("Commons Clause: you may not sell the software.", "LicenseRef-Commons-Clause"),
        ("For **non\u2011commercial**\n# use only.", "LicenseRef-non-commercial"),
        ("It may not be used to train machine learning models.", "LicenseRef-no-training"),
        ("Limited to teaching and academic research.", "LicenseRef-limited-purpose"),
        ("It must not be offered as a hosted service.", "LicenseRef-no-hosting"),
        ("Additional Use Grant: none.", "LicenseRef-source-available"),
        ("For Good, not Evil.", "LicenseRef-use-restrictions"),
        ("You may not modify the files.", "LicenseRef-restricted"),
    ],
)
@pytest.mark.parametrize("text", [MIT, APACHE, BSD])
def test_what_a_rider_takes_back_is_seen_on_either_side_of_a_text(text: str, rider: str, expected: str) -> None:
    (licence,) = detect_licences(text)
    assert set(detect_licences(f"{text}\n{rider}\n")) == {licence, expected}
    assert set(detect_licences(f"Copyright 2020 Acme. {rider}\n\n{text}")) == {licence, expected}


def test_the_grant_of_an_unknown_licence_counts_beside_a_text() -> None:
    assert detect_licences(f"{MIT}\nAcme grants you a licence to look at the folder ee.\n") == (UNKNOWN, "MIT")
    assert detect_licences(f"You may use it under either of the following licences.\n\n{MIT}\n\n{BSD}") == (
        "BSD-3-Clause",
        "MIT",
    )


@pytest.mark.parametrize(
    "note",
    [
        "Acme is a trademark; this licence does not permit the use of the name.",
        "For commercial and non-commercial use.",
        "Commercial use is allowed.",
        "It trains neural networks, and comes without a data set.",
        "Contact us for support.",
        "Copyright (c) 2018 A. Person, All rights reserved\nCopyright (c) 2021 Lightning AI",
        "Copyright 2019 Acme, all rights reserved.\nCopyright 2022 Acme Institute for Artificial Intelligence",
        "Copyright (c) 2020 No Limits AI Inc.",
        "No generative AI was used to write this code.",
        "No part of this was written by AI.",
        "No datasets are distributed with this code; obtain them from their owners.",
        "Commercial support is available from Acme GmbH, contact sales@example.com.",
        "For commercial support contact us",
        "It is dual-licensed. You may use it under the MIT license below or obtain a commercial license.",
        "By contributing you agree that your contributions will be licensed under the MIT license.",
        "By downloading you agree to the above.",
        "This license does not grant any patent rights.",
        "Disclaimer: this tool is for educational purposes only. The author is not responsible for misuse.",
        "This is a prototype, not intended for production use.",
        "Acme and the Acme logo are trademarks of Acme Inc. You may not use them without permission.",
        "The FTL is incompatible with GPLv2.",
        "Unlike the GPL, it is short, and compatible with it.",
        "It is dual-licensed under the MIT license and the GPL.",
        "You may also use it under the GPL, version 2.",
        "Parts were under the GPL, and were relicensed.",
    ],
)
def test_harmless_words_beside_a_text_take_nothing(note: str) -> None:
    assert detect_licences(f"{note}\n\n{MIT}\n{note}\n") == ("MIT",)


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("The file ee.c is licensed under GPL-2.0.", "GPL-2.0-only"),
        ("Some files are under the GNU General Public License version 3.", "GPL-3.0-only"),
        ("The server is AGPL-3.0.", "AGPL-3.0-only"),
        ("ee/ is under the LGPL", "LGPL-2.0-or-later"),
        ("libee: GPL v2 or (at your option) any later version", "GPL-2.0-or-later"),
        ("The plugins are licensed under the MPL-2.0.", "MPL-2.0"),
        ("MIT-NC License", "LicenseRef-non-commercial"),
        ("The icons are under CC BY-NC-SA 4.0.", "LicenseRef-non-commercial"),
        ("It was licensed under the MIT License until 2020. It is now closed source.", "LicenseRef-restricted"),
        ("The project is no longer open source.", "LicenseRef-restricted"),
        ("Acme is a trademark. You may not use these files.", "LicenseRef-restricted"),
        ("Copyright 2020 Acme Inc, not for use in the training of AI.", "LicenseRef-no-training"),
        ("All rights reserved, including for text and data mining.", "LicenseRef-no-training"),
        ("Do not use it for AI.", "LicenseRef-no-training"),
        ("For commercial use or support contact us.", "LicenseRef-non-commercial"),
        ("Not licensed for production use.", "LicenseRef-source-available"),
    ],
)
def test_what_else_applies_is_seen_on_either_side_of_a_text(note: str, expected: str) -> None:
    assert set(detect_licences(f"{note}\n\n{MIT}")) == {"MIT", expected}
    assert set(detect_licences(f"{MIT}\n{note}\n")) == {"MIT", expected}


@pytest.mark.parametrize("words", ["free of charge", "the rights", "subject to"])
def test_a_limit_within_a_grant_is_no_known_licence(words: str) -> None:
    assert detect_licences(MIT.replace(words, f"{words} for non-commercial purposes")) == ()


@pytest.mark.parametrize(
    "credit",
    ["Copyright (c) 2019 A. Person", "(c) 1999-2004 Acme Inc.", "Ann Person <ann@example.com>", "* Ann Person"],
)
def test_credits_do_not_hide_a_text(credit: str) -> None:
    assert detect_licences(f"{credit}\n" * 150 + MIT) == ("MIT",)
    assert detect_licences(f"{credit}\n" * 150 + "* Not for commercial use\n" + MIT) == (
        "LicenseRef-non-commercial",
        "MIT",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SPDX-License-Identifier: Apache-2.0+\n", ("Apache-2.0+",)),
        ("MIT\n", ("MIT",)),
        ("Copyright 2020 A\n\nLicensed under the Apache License, Version 2.0.\n", ("Apache-2.0",)),
        ("Under either of\n\n* Apache License 2.0\n* MIT license\n\nat your option.\n", ("Apache-2.0 OR MIT",)),
        ("Code under the MIT license. Manuals under the GPLv3.\n", ("MIT AND GPL-3.0-only",)),
        ("Licensed under the MIT License for academic use only.\n", ("LicenseRef-limited-purpose", "MIT")),
        ("Licensed under the MIT License, except for ee.\n", ()),
        ("Licensed under the MIT License and the Acme License.\n", ()),
        ("Not licensed under the MIT License.\n", ()),
        ("Parts are under the Acme License. The others are under the MIT License.\n", ()),
        ("A copy of MIT's report on Apache.\n", ()),
        ("The MIT License\n\nPermission to use it is hereby given to friends.\n", ()),
        ("See the MIT license.\n" + "Then something else.\n" * 99, ()),
    ],
)
def test_a_text_may_name_its_licence(text: str, expected: tuple[str, ...]) -> None:
    assert detect_licences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "may not ",
        "(c) ",
        "\n",
        "- \n",
        "commercial fee ",
        "mit or ",
        "a@",
        "<a ",
    ],
)
def test_long_texts_of_half_a_pattern_are_read(text: str) -> None:
    assert detect_licences(text * (20_000 // len(text))) == ()


@pytest.mark.parametrize("text", ["(c) ", "copyright-", "copyright a ", "no a ", "under gpl ", "\n \n"])
def test_long_notes_of_half_a_pattern_are_read(text: str) -> None:
    assert not restrictions(text * (200_000 // len(text)))
    assert set(copyleft(text * (200_000 // len(text)))) <= {"GPL-1.0-or-later"}


def test_files_that_may_tell_a_licence() -> None:
    yes = "LICENSE LICENCE.md a/COPYING COPYING.LESSER LICENSE-MIT LICENSE_APACHE.txt UNLICENSE MIT-LICENSE LICENSES/x"
    assert [path for path in yes.split() if not is_licence_text(path)] == []
    no = "license.py src/licenses/view.tsx licensing.md README.md copying.c a/LICENSE/b.py licence.json licenses/a.tpl"
    assert [path for path in no.split() if is_licence_text(path)] == []
    credits = "a.dist-info/licenses/AUTHORS licenses/NOTICE.txt LICENSES/README.md"
    assert [path for path in credits.split() if is_licence_text(path)] == []
    assert is_metadata("a/package.json")
    assert is_metadata("a-1.0.dist-info/METADATA")
    assert not is_metadata("METADATA")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("package.json", '{"license": "MIT"}', "MIT"),
        ("package.json", '{"license": {"type": "isc"}}', "ISC"),
        ("package.json", '{"license": "SEE LICENSE IN x"}', UNKNOWN),
        ("package.json", '{"license": "UNLICENSED"}', "LicenseRef-restricted"),
        ("package.json", "[1]", None),
        ("package.json", "{", None),
        ("composer.json", '{"license": ["MIT", "GPL-2.0-only"]}', "MIT OR GPL-2.0-only"),
        ("a/Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"', "MIT OR Apache-2.0"),
        ("a/Cargo.toml", "[package]\nlicense.workspace = true", None),
        ("a/Cargo.toml", "package = 1", None),
        ("pyproject.toml", '[project]\nlicense = "BSD-3-Clause"', "BSD-3-Clause"),
        ("a-1.dist-info/METADATA", "Name: a\nLicense-Expression: Apache-2.0\n\nProse", "Apache-2.0"),
        ("PKG-INFO", "Name: a\nLicense: some prose\n", None),
        ("package.json", '{"license": "Apache-2.0+"}', "Apache-2.0+"),
        ("package.json", '{"license": "Zlib+ OR LicenseRef-Acme"}', "Zlib+ OR LicenseRef-Acme"),
        ("package.json", '{"license": "The MIT License (MIT)"}', "MIT"),
        ("package.json", '{"license": "MIT, see the file"}', UNKNOWN),
        ("package.json", '{"license": "MIT with Commons Clause"}', "LicenseRef-Commons-Clause"),
        ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "GPLv2"}]}', "MIT OR GPL-2.0-only"),
        ("Cargo.toml", '[workspace.package]\nlicense = "MIT"', "MIT"),
        ("pyproject.toml", '[project]\nlicense = {text = "Apache 2.0"}', "Apache-2.0"),
        ("pyproject.toml", '[project]\nlicense = {file = "LICENSE"}', None),
        ("pyproject.toml", '[tool.poetry]\nlicense = "ISC"', "ISC"),
        ("setup.cfg", "[metadata]\nlicense = BSD 2-Clause\n", "BSD-2-Clause"),
        ("setup.cfg", "[metadata", None),
        ("package.json", '{"license": "https://opensource.org/licenses/MIT"}', "MIT"),
        ("package.json", '{"license": "http://opensource.org/licenses/mit-license.php"}', "MIT"),
        ("package.json", '{"license": "http://www.apache.org/licenses/LICENSE-2.0"}', "Apache-2.0"),
        ("package.json", '{"license": "https://www.apache.org/licenses/LICENSE-2.0.txt"}', "Apache-2.0"),
        ("package.json", '{"license": "https://creativecommons.org/publicdomain/zero/1.0/"}', "CC0-1.0"),
        ("package.json", '{"license": "https://www.gnu.org/licenses/gpl-3.0.en.html"}', "GPL-3.0-only"),
        ("package.json", '{"license": "https://example.org/LICENSE"}', UNKNOWN),
        (
            "PKG-INFO",
            "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: Other/Proprietary License\n",
            "MIT AND LicenseRef-restricted",
        ),
        ("PKG-INFO", "License: GPLv3+\nClassifier: License :: OSI Approved\n", "GPL-3.0-or-later"),
    ],
)
def test_packages_declare_licences(path: str, text: str, expected: str | None) -> None:
    assert metadata_licence(path, text) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pyproject.toml", '"a"' + ".a" * 65_536 + "=1\n"),
        ("Cargo.toml", "1." * 65_536),
        ("Cargo.toml", f"[package{'.a' * 65_536}]\n"),
        ("Cargo.toml", f"a = {{b{'.a' * 65_536} = 1}}\n"),
        ("Cargo.toml", "# a comment\n" * 100_000),
        ("setup.cfg", "[metadata]\na" + " " * 200_000 + "b\n"),
    ],
)
def test_a_description_made_to_be_slow_declares_none(path: str, text: str) -> None:
    assert metadata_licence(path, text) is None


def test_a_list_of_very_many_licences_is_not_read() -> None:
    named = ",".join(f'"x{number}"' for number in range(20_000))
    assert metadata_licence("package.json", f'{{"license": [{named}]}}') == UNKNOWN
    classifiers = "".join(f"Classifier: License :: x{number}\n" for number in range(5_000))
    assert metadata_licence("PKG-INFO", classifiers) == UNKNOWN


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
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: GPL-2.0\n", "MIT AND GPL-2.0-only"),
        ("# SPDX-License-Identifier: MIT OR ISC\n# SPDX-License-Identifier: MIT OR ISC\n", "MIT OR ISC"),
        ("{- SPDX-License-Identifier: MIT -}\n", "MIT"),
        ("{- SPDX-License-Identifier: MIT -} module A where\n", "MIT"),
        ("-- SPDX-License-Identifier: MIT --\n", "MIT"),
        ("## SPDX-License-Identifier: (MIT) ##\n", "MIT"),
        ("<%# SPDX-License-Identifier: Apache-2.0+ %>\n", "Apache-2.0+"),
        ("{{!-- SPDX-License-Identifier: MIT --}}\n", "MIT"),
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


def test_what_the_description_forbids_counts_beside_a_text() -> None:
    description = '{"license": "MIT, non-commercial"}'
    assert tree(**{"LICENSE": MIT, "package.json": description}).of("a.js") == ("LicenseRef-non-commercial", "MIT")
    assert tree(LICENSE=PROPRIETARY, **{"package.json": '{"license": "MIT"}'}).of("a.js") == (UNKNOWN, "MIT")
    choice = '{"license": "MIT OR GPL-3.0-only"}'
    assert tree(**{"LICENSE": BSD, "package.json": choice}).of("a.js") == ("BSD-3-Clause", "MIT OR GPL-3.0-only")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("GPL-3.0", ("GPL-3.0-only", "MIT")),
        ("UNLICENSED", ("LicenseRef-restricted", "MIT")),
        ("Proprietary", ("LicenseRef-restricted", "MIT")),
        ("SEE LICENSE IN LICENSE", ("MIT",)),
        ("https://opensource.org/licenses/MIT", ("MIT",)),
    ],
)
def test_a_description_that_contradicts_the_text_beside_it_applies_too(
    declared: str, expected: tuple[str, ...]
) -> None:
    assert tree(**{"LICENSE": MIT, "package.json": f'{{"license": "{declared}"}}'}).of("src/a.js") == expected


def test_scores_on_the_labelled_examples() -> None:
    tuned, held_out = evaluate(TUNED), evaluate(HELD_OUT)
    assert {score[:2] for score in tuned.values()} == {(1.0, 1.0)}
    assert min(score.precision for score in held_out.values()) >= 0.95
    assert min(score.recall for score in held_out.values()) >= 0.85
    assert min(score.labelled for score in held_out.values()) >= 5


def test_a_licence_that_is_none_of_spdxs_is_not_no_licence() -> None:
    assert tree(LICENSE=PROPRIETARY).of("a.py") == (UNKNOWN,)
    assert tree(LICENSE=None).of("a.py") == (UNKNOWN,)  # too long, damaged or not text
    assert tree(**{"LICENSE-EE": PROPRIETARY, "LICENSE": MIT}).of("a.py") == (UNKNOWN, "MIT")


def test_a_pointer_counts_only_where_nothing_else_is() -> None:
    pointer = "Either of the licences in LICENSE.MIT or LICENSE.BSD.\n"
    assert tree(**{"LICENSE": pointer, "LICENSE.MIT": MIT}).of("a.py") == ("MIT",)
    assert tree(LICENSE=pointer).of("a.py") == (UNKNOWN,)


@pytest.mark.parametrize(
    "pointer", ["see ../LICENSE", "../../LICENSE", "The licence is in the root of the repository."]
)
def test_a_pointer_up_the_tree_leaves_it_to_what_it_points_to(pointer: str) -> None:
    assert tree(**{"LICENSE": MIT, "a/src/LICENSE": pointer}).of("a/src/a.py") == ("MIT",)
    assert tree(**{"a/src/LICENSE": pointer}).of("a/src/a.py") == (UNKNOWN,)


@pytest.mark.parametrize(
    "text",
    ["See ../ee/LICENSE", "All rights reserved.", "Like ../LICENSE, but you may not sell it.", "Ask for the text."],
)
def test_a_short_text_that_points_elsewhere_hides_the_licence_above(text: str) -> None:
    assert tree(**{"LICENSE": MIT, "src/LICENSE": text}).of("src/a.py") == (UNKNOWN,)


def test_a_wheels_licence_covers_its_packages() -> None:
    assert tree(**{"a-1.dist-info/licenses/LICENSE": MIT}).of("a/b.py") == ("MIT",)
    assert tree(**{"x/LICENSES/MIT.txt": MIT}).of("x/b.py") == ("MIT",)


DEFAULT = LicencePolicyConfig(**yaml.safe_load((conf_dir() / "licence_policy" / "permissive.yaml").read_text()))


def document(*licences: str, repository: str = "owner/name") -> Document:
    return Document("x = 1\n", repository, "a.py", "Python", licences)


@pytest.mark.parametrize(
    "licences",
    [
        ["MIT"],
        ["Apache-2.0", "BSD-3-Clause"],
        ["public-domain"],
        ["MIT OR GPL-3.0-only"],
        ["Apache-2.0 WITH LLVM-exception"],
        ["(MIT AND ISC) OR GPL-2.0-only"],
        ["Apache-2.0+"],
        ["MIT OR LicenseRef-Acme"],
        ["MIT License"],
        ["Python-2.0.1"],
    ],
)
def test_permissive_licences_are_allowed(licences: list[str]) -> None:
    assert LicencePolicy(DEFAULT).fault(document(*licences)) is None


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0",
        "MIT AND GPL-3.0-only",
        "MPL-2.0",
        "MPL-2.0+",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "Apache-2.0 WITH Commons-Clause",
        "Apache-2.0 WITH LicenseRef-scancode-commons-clause",
        "MIT WITH MIT",
        "MIT AND LicenseRef-Acme",
        "LicenseRef-non-commercial",
        UNKNOWN,
        "()LicenseRef-x",
        "(/or MIT",
        "no such thing (",
    ],
)
def test_others_are_refused_by_name(licence: str) -> None:
    assert LicencePolicy(DEFAULT).fault(document("MIT", licence)) == f"licence not permissive: {licence}"


def test_a_long_name_is_cut_in_the_reason() -> None:
    assert len(LicencePolicy(DEFAULT).fault(document("(" * 10_000)) or "") < 200


def test_the_policy_is_the_users() -> None:
    refused = "licence not permissive: GPL-3.0"
    assert LicencePolicy(DEFAULT).fault(document()) == "no licence"
    kept = LicencePolicy(DEFAULT.model_copy(update={"unlicensed": "keep"}))
    assert [kept.fault(document()), kept.fault(document("GPL-3.0"))] == [None, refused]
    wider = LicencePolicy(DEFAULT.model_copy(update={"also_allowed": ["MPL-2.0", "LicenseRef-non-commercial"]}))
    assert [wider.fault(document("MPL-2.0", "LicenseRef-non-commercial")), wider.fault(document("GPL-3.0"))] == [
        None,
        refused,
    ]
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

"""Which files make a document, in which order, and that neither depends on how they came in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcoder.config.compose import load_config
from snowcoder.config.corpus_schema import GroupingConfig
from snowcoder.corpus.document import Document, size_of
from snowcoder.corpus.grouping import Group, group_key, make_documents

MIB = 1 << 20


def file(path: str, repository: str = "a/b", language: str = "Python", content: str = "x = 1\n") -> Document:
    return Document(content, repository, path, language, ())


def config(by: str = "language", order: str = "random", max_mib: float = 8) -> GroupingConfig:
    return GroupingConfig(by=by, order=order, max_mib=max_mib)  # type: ignore[arg-type]


def groups(files: list[Document], how: GroupingConfig, seed: int = 1) -> list[Group]:
    return list(make_documents(list(enumerate(files)), how, seed))


def paths(found: list[Group]) -> list[list[str]]:
    return [[document.path for document in group.files] for group in found]


def flat(found: list[Group]) -> list[str]:
    return [path for group in paths(found) for path in group]


FILES = [
    *(file(f"p{number}.py") for number in range(6)),
    *(file(f"c{number}.c", language="C") for number in range(3)),
    *(file(f"p{number}.py", repository="c/d") for number in range(3)),
]


def test_by_language_then_repository() -> None:
    found = groups(FILES, config())
    assert [(group.repository, group.language, len(group.files)) for group in found] == [
        ("a/b", "C", 3),
        ("a/b", "Python", 6),
        ("c/d", "Python", 3),
    ]


def test_by_repository_names_the_main_language() -> None:
    found = groups([*FILES, file("big.c", content="int x;" * 100, language="C")], config("repository"))
    assert [(group.repository, group.language, len(group.files)) for group in found] == [
        ("a/b", "C", 10),
        ("c/d", "Python", 3),
    ]


def test_by_file() -> None:
    assert sorted(paths(groups(FILES, config("file")))) == sorted([document.path] for document in FILES)
    assert len(groups([file("a.py"), file("a.py", content="y = 2\n")], config("file"))) == 2


def test_by_subgraph() -> None:
    files = [file("a.py", content="import b\n"), file("b.py"), file("c.py")]
    assert sorted(paths(groups(files, config("subgraph", "dependency")))) == [["b.py", "a.py"], ["c.py"]]
    assert {frozenset(group) for group in paths(groups(files, config("subgraph")))} == {
        frozenset({"a.py", "b.py"}),
        frozenset({"c.py"}),
    }


@pytest.mark.parametrize("by", ["file", "subgraph", "repository", "language"])
def test_files_of_unknown_repositories_stay_alone(by: str) -> None:
    files = [file(path, repository="", content=f"x = {number}") for number, path in enumerate(["", "", "a.py", "a.py"])]
    assert len(groups(files, config(by))) == 4
    assert len({group_key(document, config(by)) for document in files}) == 4
    assert len(groups([files[0]] * 3, config(by))) == 3


def test_order_is_random_and_of_the_seed() -> None:
    files = [file(f"{number:03}.py") for number in range(100)]
    (one,), (again,), (other,) = (paths(groups(files, config(), seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert one != sorted(one)
    (alone,) = paths(groups(files[:50], config()))
    assert alone == [path for path in one if path in alone], "a file's place depends on the other files"


def test_split_between_files() -> None:
    files = [file(f"{number}.py", content="x" * (MIB // 4)) for number in range(10)]
    found = groups(files, config(max_mib=1))
    assert [len(group.files) for group in found] == [4, 4, 2]
    assert flat(found) == paths(groups(files, config(max_mib=100)))[0]
    assert [len(group.files) for group in groups(files, config(max_mib=1 - 1e-6))] == [3, 3, 3, 1]


def test_a_longer_file_stays_whole_and_alone() -> None:
    files = [file(f"{number}.py", content="é" * MIB if number == 3 else "x") for number in range(8)]
    found = groups(files, config(max_mib=1))
    assert ["3.py"] in paths(found)
    assert sorted(flat(found)) == sorted(document.path for document in files)


NAMES = st.sampled_from(["", "a", "b", "a/c"])
ANY_FILE = st.builds(
    Document,
    content=st.sampled_from(["", "import b\n", "from . import a\n", "import a, b\n", "x" * 1000]),
    repository=NAMES,
    path=st.sampled_from(["a.py", "b.py", "c/__init__.py", "c/a.py", "a.js", ""]),
    language=st.sampled_from(["Python", "JavaScript", "Brainfuck"]),
    licences=st.just(()),
)


@settings(max_examples=150, deadline=None)
@given(
    files=st.lists(ANY_FILE, max_size=25),
    by=st.sampled_from(["file", "subgraph", "repository", "language"]),
    order=st.sampled_from(["random", "dependency"]),
    shuffle=st.randoms(use_true_random=False),
)
def test_input_order_and_partitions_do_not_matter(
    files: list[Document], by: str, order: str, shuffle: random.Random
) -> None:
    how, rows = config(by, order, 1500 / MIB), list(enumerate(files))
    found = list(make_documents(rows, how, 7))
    assert sorted(document for group in found for document in group.files) == sorted(files)
    assert all(group.files for group in found)
    assert all(len(group.files) == 1 or sum(map(size_of, group.files)) <= 1500 for group in found)
    shuffled = shuffle.sample(rows, len(rows))
    assert list(make_documents(shuffled, how, 7)) == found
    partition = {group_key(document, how): shuffle.randrange(3) for document in files}
    apart = [
        group
        for number in range(3)
        for group in make_documents([row for row in shuffled if partition[group_key(row[1], how)] == number], how, 7)
    ]
    assert sorted(apart) == sorted(found)


@pytest.mark.parametrize(
    ("recipe", "by", "order"),
    [
        ("arctic", "language", "random"),
        ("repository", "repository", "random"),
        ("deepseek_coder", "subgraph", "dependency"),
        ("file", "file", "random"),
    ],
)
def test_recipes(recipe: str, by: str, order: str) -> None:
    grouping = load_config([f"grouping={recipe}"]).grouping
    assert (grouping.by, grouping.order) == (by, order)

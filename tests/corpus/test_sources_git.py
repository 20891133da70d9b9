"""Git repositories: what HEAD holds is read, and nothing of a repository is run."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from snowcoder.config.corpus_schema import RepositoriesConfig
from snowcoder.corpus.sources.find import find_repositories
from snowcoder.corpus.sources.repository import BadRepository, Gate, Repository
from tests.corpus.repositories import LIMITS, STORAGE, git, git_repository, read

SOURCE = "import json\n\nprint(json.dumps({'a': 1}))\n"


def only(source: Path) -> Repository:
    (found,) = find_repositories([str(source)], STORAGE)
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return git_repository(tmp_path / "mine", {"a.py": SOURCE, "src/b.c": "int main() {}\n", "LICENSE": "MIT License\n"})


@pytest.mark.parametrize("kind", ["working tree", "bare"])
def test_the_tree_of_head_is_read(repository: Path, tmp_path: Path, kind: str) -> None:
    (repository / "a.py").write_text("not committed\n")
    (repository / "untracked.py").write_text("not committed\n")
    if kind == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(repository), "mine.git")
    found = only(tmp_path / "mine.git" if kind == "bare" else repository)
    files, dropped = read(found)
    assert files == {"LICENSE": b"MIT License\n", "a.py": SOURCE.encode(), "src/b.c": b"int main() {}\n"}
    assert dropped == {}
    assert found.name == "mine"
    assert found.revision == git(repository, "rev-parse", "HEAD").strip()


def test_packed_refs_and_packed_objects_are_read(repository: Path) -> None:
    git(repository, "gc", "-q", "--aggressive", "--prune=now")
    assert sorted(read(only(repository))[0]) == ["LICENSE", "a.py", "src/b.c"]


def test_links_and_submodules_are_counted(repository: Path, tmp_path: Path) -> None:
    (repository / "link.py").symlink_to("/etc/passwd")
    inner = git_repository(tmp_path / "inner", {"inner.py": SOURCE})
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "inner")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "2")
    files, dropped = read(only(repository))
    assert sorted(files) == [".gitmodules", "LICENSE", "a.py", "src/b.c"]
    assert dropped == {"symbolic link": 1, "submodule": 1}


def test_names_of_all_kinds_are_read(tmp_path: Path) -> None:
    names = ["with space.py", 'quote".py', "tab\there.py", "é.py", "Case.py", "case.py"]
    repository = git_repository(tmp_path / "r", dict.fromkeys(names, SOURCE))
    Path(os.fsdecode(os.fsencode(repository) + b"/caf\xe9.py")).write_text(SOURCE)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "2")
    files, dropped = read(only(repository))
    assert sorted(files) == sorted({*names, "caf\ufffd.py"} - {"tab\there.py"})
    assert dropped == {"unsafe path": 1}


def test_a_file_too_long_is_never_asked_for(repository: Path) -> None:
    (repository / "huge.py").write_bytes(b"#" * (2 << 20))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "2")
    gate = Gate(LIMITS, lambda path: path == "huge.py", Counter())
    ((path, data, fault),) = only(repository).files(gate)
    assert (path, data, fault) == ("huge.py", None, "too long")


def test_a_repository_of_another_user_is_read(repository: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in [repository, *repository.rglob("*")]:
        os.chown(path, 12345, 12345)
    assert len(read(only(repository))[0]) == 3


def test_hooks_filters_and_commands_of_its_config_are_not_run(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\nexec cat\n")
    script.chmod(0o755)
    for hook in ("post-checkout", "pre-commit", "fsmonitor-watchman", "reference-transaction"):
        (repository / ".git" / "hooks" / hook).write_text(script.read_text())
        (repository / ".git" / "hooks" / hook).chmod(0o755)
    for key in ("filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(repository, "config", key, str(script))
    (repository / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")
    assert read(only(repository))[0]["a.py"] == SOURCE.encode()
    assert not ran.exists()


def _lose_a_blob(repository: Path) -> None:
    blob = git(repository, "rev-parse", "HEAD:a.py").strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


def test_a_missing_object_is_not_fetched_by_a_command_of_the_repository(repository: Path, tmp_path: Path) -> None:
    """A partial clone names where its objects are fetched from, by `ext::` with any command."""
    ran = tmp_path / "ran"
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::sh -c touch% {ran}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
    }
    for key, value in settings.items():
        git(repository, "config", key, value)
    _lose_a_blob(repository)
    with pytest.raises(BadRepository, match="missing or damaged"):
        read(only(repository))
    assert not ran.exists()


def test_objects_that_stand_in_for_others_are_not_read(repository: Path) -> None:
    other = git(repository, "hash-object", "-w", "--stdin", text="of nobody's tree\n").strip()
    git(repository, "replace", git(repository, "rev-parse", "HEAD:a.py").strip(), other)
    assert read(only(repository))[0]["a.py"] == SOURCE.encode()


def _borrow(repository: Path) -> None:
    (repository / ".git" / "objects" / "info" / "alternates").write_text("/somewhere/objects\n")


def _follow_another(repository: Path) -> None:
    (repository / ".git" / "commondir").write_text("/somewhere/.git\n")


def _link_objects(repository: Path) -> None:
    (repository / ".git" / "objects").rename(repository / "elsewhere")
    (repository / ".git" / "objects").symlink_to(repository / "elsewhere")


def _damage_a_tree(repository: Path) -> None:
    tree = git(repository, "rev-parse", "HEAD:src").strip()
    path = repository / ".git" / "objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")


def _no_commit(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/nothing\n")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (_lose_a_blob, "missing or damaged"),
        (_borrow, "shares objects"),
        (_follow_another, "shares objects"),
        (_link_objects, "shares objects"),
        (_damage_a_tree, r"git ls-tree failed"),
        (_no_commit, r"git rev-parse failed"),
    ],
)
def test_a_repository_that_is_not_whole_is_a_bad_one(
    repository: Path, harm: Callable[[Path], None], reason: str
) -> None:
    harm(repository)
    with pytest.raises(BadRepository, match=reason):
        read(only(repository))


def test_git_that_takes_too_long_is_ended(repository: Path) -> None:
    limits = LIMITS.model_copy(update={"git_minutes": 0.005})
    reading = only(repository).files(Gate(limits, lambda _: True, Counter()))
    next(reading)
    subprocess.run(["sleep", "0.6"], check=True)
    with pytest.raises(BadRepository):
        list(reading)


def test_a_tree_of_trees_of_the_same_trees_ends_at_the_limit_of_entries(repository: Path) -> None:
    """Ten levels of ten folders each: a few objects, ten billion paths."""
    tree = git(repository, "rev-parse", "HEAD:src").strip()
    for _ in range(10):
        tree = git(repository, "mktree", text="".join(f"040000 tree {tree}\t{n}\n" for n in range(10))).strip()
    commit = git(repository, "commit-tree", "-m", "bomb", tree).strip()
    git(repository, "update-ref", "HEAD", commit)
    with pytest.raises(BadRepository, match="more than 1,000 entries"):
        read(only(repository), LIMITS.model_copy(update={"max_files": 1000}))


def test_git_may_not_take_any_amount_of_memory(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowcoder.corpus.sources.git._MEMORY", 1 << 10)
    with pytest.raises(BadRepository, match="git"):
        read(only(repository))


def test_limits_hold_for_the_whole_repository(repository: Path) -> None:
    for key, value, reason in [("max_files", 2, "more than 2 entries"), ("max_gib", 1e-8, "larger than 1e-08 GiB")]:
        limits = RepositoriesConfig(**{**LIMITS.model_dump(), key: value})
        with pytest.raises(BadRepository, match=reason):
            read(only(repository), limits)


def test_a_git_folder_that_leads_elsewhere_is_not_followed(repository: Path, tmp_path: Path) -> None:
    for name, make in [("file", "write"), ("link", "link")]:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "plain.py").write_text(SOURCE)
        if make == "write":
            (folder / ".git").write_text(f"gitdir: {repository / '.git'}\n")
        else:
            (folder / ".git").symlink_to(repository / ".git")
        assert sorted(path for path in read(only(folder))[0] if path != ".git") == ["plain.py"]

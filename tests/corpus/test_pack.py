"""Folders of source code into shards: what is packed, what is counted, and the same bytes every time."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config, StorageConfig
from snowcoder.corpus import pack as packing
from snowcoder.corpus.pack import pack
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest, find_manifest
from snowcoder.storage.digest import digest_file
from snowcoder.storage.objects import Store
from snowcoder.storage.shards import list_shards, read_shard
from snowcoder.storage.store import open_store
from tests.tiny import snowcoder


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(["storage=disk"])


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: tuple[StorageConfig, str]) -> Store:
    place = str(tmp_path / "shards") if request.param == "disk" else f"{s3[1]}/{tmp_path.name}"
    return open_store(place, s3[0])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Real files of the standard library, and around them what must not be packed."""
    folder = tmp_path / "repository"
    (folder / "json").mkdir(parents=True)
    for source in Path(json.__file__).parent.glob("*.py"):
        (folder / "json" / source.name).write_bytes(source.read_bytes())
    (folder / "main.c").write_text("int main() { return 0; } // é\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("SECRET = 1\n")
    (folder / "link.py").symlink_to(outside / "secret.py")
    (folder / "linked").symlink_to(outside)
    (folder / "dangling.py").symlink_to(outside / "nothing.py")
    for hidden in (".git", "json/.cache", "json/__pycache__"):
        (folder / hidden).mkdir()
        (folder / hidden / "hidden.py").write_text("HIDDEN = 1\n")
    (folder / "notes.xyz").write_text("of no known language")
    (folder / "empty.py").write_text("")
    (folder / "blank.py").write_text(" \n\t\n")
    (folder / "binary.py").write_bytes(b"\x7fELF\xff\xfe\x00")
    (folder / "at_the_limit.py").write_bytes(b"#" * (1 << 20))
    (folder / "huge.py").write_bytes(b"#" * ((1 << 20) + 1))
    os.mkfifo(folder / "pipe.py")
    return folder


def packed(store: Store, config: Config) -> Iterator[tuple[str, str, str, str, str]]:
    for info in list_shards(store):
        with store.local(info) as copy:
            for batch in read_shard(copy.path, info.key, config.index.columns, 2 << 20):
                assert batch.dropped == {}
                yield from zip(*batch[:5], strict=True)


def manifest_of(store: Store, folder: Path) -> Manifest:
    folder.mkdir()
    (folder / "manifest.json").write_bytes(store.read("manifest.json"))
    manifest = find_manifest(folder)
    assert manifest is not None
    return manifest


def test_source_files_are_packed_and_all_others_passed_over_or_counted(
    store: Store, repository: Path, tmp_path: Path, config: Config, capsys: pytest.CaptureFixture
) -> None:
    pack([("mine", repository)], store, config.index.columns, config.repositories)
    rows = {path: row for row in packed(store, config) for path in [row[2]]}
    expected = {"main.c": "C", "at_the_limit.py": "Python"}
    expected |= {f"json/{path.name}": "Python" for path in (repository / "json").glob("*.py")}
    assert {path: row[3] for path, row in rows.items()} == expected
    for path, (content, name, _, _, licence) in rows.items():
        assert (content.encode(), name, licence) == ((repository / path).read_bytes(), "mine", "")
    counts = manifest_of(store, tmp_path / "manifest").counts
    assert counts["documents"] == len(expected)
    assert counts["languages"] == {"Python": len(expected) - 1, "C": 1}
    assert counts["dropped"] == {
        "binary": 1,
        "device or pipe": 1,
        "in a hidden folder": 2,  # .git is passed over
        "no content": 2,
        "other language": 1,
        "symbolic link": 3,
        "too long": 1,
    }
    assert counts["other_languages"] == {"*.xyz": 1}
    assert counts["bytes"] == sum(len(row[0].encode()) for row in rows.values())
    printed = capsys.readouterr().out
    assert "no content 2" in printed
    assert "MiB of text in 1 shard(s) of " in printed
    assert "KiB (compressed); Python " in printed


def test_what_the_other_languages_are(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name or by content; where neither tells, the ending. Those of a repository that fails are not counted."""
    folder = tmp_path / "repository"
    folder.mkdir()
    texts = {
        "main.py": "x = 1\n",
        "one.jinja2": "{{ x }}\n",
        "two.jinja2": "{{ y }}\n",
        "pict.png": "not one",
        "Procfile": "web: python\n",
        "run": "#!/usr/bin/env tclsh\nputs 1\n",
        "a.name-that-goes-on-and-on": "?",
        "plain": "nothing tells\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    failing = tmp_path / "failing"
    failing.mkdir()
    (failing / "a.yaml").write_text("x: 1\n")
    (failing / "b.py").write_text("#" * 100)
    limits = config.repositories.model_copy(update={"max_gib": 90 / 2**30})
    store = open_store(str(tmp_path / "shards"), config.storage)
    manifest = pack([("mine", folder), ("failing", failing)], store, config.index.columns, limits)
    assert list(manifest.counts["failed"]) == ["failing"]
    assert manifest.counts["dropped"] == {"other language": 7}
    expected = {"Jinja": 2, "*.png": 1, "Procfile": 1, "Tcl": 1, "no ending": 2}
    assert manifest.counts["other_languages"] == expected
    monkeypatch.setattr(packing, "_NAMED", 2)
    packing._print_summary(store, manifest)
    assert "  other languages: Jinja 2, no ending 2, 3 more kinds\n" in capsys.readouterr().out


def test_the_manifest_vouches_for_the_shards(
    store: Store, repository: Path, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_SHARD_BYTES", 20_000)
    pack([("mine", repository)], store, config.index.columns, config.repositories)
    manifest = manifest_of(store, tmp_path / "manifest")
    shards = list_shards(store)
    assert len(shards) > 2
    assert [output.name for output in manifest.outputs] == [info.key for info in shards]
    for info, output in zip(shards, manifest.outputs, strict=True):
        with store.local(info) as copy:
            assert (info.bytes, copy.digest) == (output.bytes, output.digest)


def test_two_runs_write_the_same_bytes(
    repository: Path, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order in which the file system and the command line give them."""
    monkeypatch.setattr(packing, "_SHARD_BYTES", 20_000)
    repositories = [("b", repository), ("a", repository / "json")]
    for name, order in [("one", repositories), ("two", repositories[::-1])]:
        pack(order, open_store(str(tmp_path / name), config.storage), config.index.columns, config.repositories)
    one, two = ({path.name: digest_file(path) for path in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert len(one) > 2
    assert one == two


def test_names_that_are_not_utf8_are_packed(tmp_path: Path, config: Config) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    store = open_store(str(tmp_path / "shards"), config.storage)
    pack([("mine", folder)], store, config.index.columns, config.repositories)
    assert [row[2] for row in packed(store, config)] == ["caf\ufffd.py"]


def test_shards_of_another_run_are_an_error(store: Store, repository: Path, config: Config) -> None:
    store.write("shard-00007.parquet", b"an older run's")
    with pytest.raises(UserError, match=r"1 other shard\(s\), such as shard-00007\.parquet"):
        pack([("mine", repository)], store, config.index.columns, config.repositories)
    assert store.stat("manifest.json") is None


def test_shards_of_others_are_an_error_before_anything_is_read(store: Store, repository: Path, config: Config) -> None:
    store.write("crawl.jsonl.zst", b"what a crawler left")
    with pytest.raises(UserError, match=r"1 other shard\(s\), such as crawl\.jsonl\.zst"):
        pack([("mine", repository)], store, config.index.columns, config.repositories)
    assert [info.key for info in store.list()] == ["crawl.jsonl.zst"]


@pytest.mark.parametrize(("content", "reason"), [(None, ""), ("", r".*\{'no content': 1\}")])
def test_nothing_to_pack_is_an_error(tmp_path: Path, config: Config, content: str | None, reason: str) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    if content is not None:
        (folder / "a.py").write_text(content)
    store = open_store(str(tmp_path / "shards"), config.storage)
    with pytest.raises(UserError, match=f"nothing to pack for {reason}"):
        pack([("mine", folder)], store, config.index.columns, config.repositories)
    assert store.list() == []


def test_two_repositories_of_one_name_are_an_error(tmp_path: Path) -> None:
    for parent in ("one", "two"):
        (tmp_path / parent / "src").mkdir(parents=True)
    folders = [str(tmp_path / "one" / "src"), str(tmp_path / "two" / "src")]
    done = snowcoder("corpus", "pack", *folders, f"run.dir={tmp_path / 'run'}", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("snowcoder: several repositories are named src")


def test_the_command_names_folders_that_do_not_exist(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    folders = [str(tmp_path / name) for name in ("nowhere", "there", "nor-here")]
    done = snowcoder("corpus", "pack", *folders, f"run.dir={tmp_path / 'run'}", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("snowcoder: no folders, git repositories or archives (.zip ")
    assert done.stderr.endswith(f": {folders[0]}, {folders[2]}\n")
    assert not (tmp_path / "run").exists()

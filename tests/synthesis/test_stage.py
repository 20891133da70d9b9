"""`snowcoder synthesize`, the command, against a server: what is planted is found, what is left is indexed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.synthesis_schema import StepConfig, SynthesisConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.lineage.manifest import NAME, Output, find_manifest
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.stages import steps
from snowcoder.synthesis import report as report_stage
from snowcoder.synthesis import synthesize as stage
from snowcoder.synthesis.check_samples import CheckSamples
from snowcoder.synthesis.generate import AskModels
from snowcoder.synthesis.publish import Publish
from snowcoder.synthesis.seeds import Cut
from tests.corpus.raw_shards import library, row, write_raw_shards
from tests.read_keys import noting
from tests.synthesis.faulty_model import faulty_model
from tests.synthesis.language_server import LanguageServer, language_server
from tests.synthesis.model import PLANTED, answer
from tests.tiny import snowcoder, tiny_overrides

DOCUMENTED = '''
def scale_{n}(values, factor):
    """Multiply every value by a factor and add {n}."""
    return [value * factor + {n} for value in values]
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """An index of real files in Python, with documented functions, and a few in C; a benchmark; a place for shards."""
    folder = tmp_path_factory.mktemp("synthesis")
    write_raw_shards(folder / "raw")
    (folder / "seeds").mkdir()
    rows = [row(text + DOCUMENTED.format(n=n), "a/b", f"{n}.py") for n, text in enumerate(library())]
    rows += [
        row(f"int f{n}(void);\nint g{n}(int a) {{ return a; }}\n", "a/c", f"{n}.c", language="C") for n in range(9)
    ]
    for number in range(2):
        pq.write_table(pa.Table.from_pylist(rows[number::2]), folder / "seeds" / f"part-{number}.parquet")
    snowcoder("index", "build", "selected", *overrides(folder, workspace))
    return folder


def overrides(folder: Path, workspace: Path, *more: str) -> list[str]:
    recipe = [] if any(each.startswith("synthesis=") for each in more) else ["synthesis=code_file"]
    return tiny_overrides(
        folder,
        *recipe,
        f"storage.root={folder}/out",
        f"tokenizer.dir={workspace}/tokenizer",
        f"index.sources.selected.shards={folder}/seeds",
        f"decontamination.benchmarks=[{folder}/raw/tasks.jsonl]",
        "corpus.engine.workers=1",
        "synthesis.seeds.part=60",
        "index.held_out=0",
        *more,
    )


def synthesize(folder: Path, workspace: Path, url: str, *more: str) -> bool:
    """In this process: a new one takes longer to import than to do it."""
    return stage.run(load_config(overrides(folder, workspace, f"synthesis.requests.servers=[{url}]", *more)))


def report_of(folder: Path, recipe: str) -> dict[str, Any]:
    return json.loads((folder / "synthesis" / recipe / "report.json").read_text())


def ended(report: dict[str, Any]) -> Counter[str]:
    counts = Counter(report["dropped"])
    for _, reason, _, count in report["outcomes"]:
        counts[reason or "whole"] += count
    return counts


def chat_of(folder: Path, recipe: str) -> list[dict[str, str]]:
    lines = (folder / "synthesis" / recipe / "chat.jsonl").read_text().splitlines()
    return [{turn["role"]: turn["content"] for turn in json.loads(line)["messages"]} for line in lines]


COUNT = ["synthesis.seeds.count=120", "synthesis.seeds.per_file=3"]


@pytest.fixture(scope="module")
def made(folder: Path, workspace: Path) -> LanguageServer:
    with language_server(answer) as (server, url):
        synthesize(folder, workspace, url, *COUNT)
    return server


def test_what_is_planted_is_dropped_for_the_right_reason(folder: Path, made: LanguageServer) -> None:
    report = report_of(folder, "code_file")
    counts = ended(report)
    assert set(PLANTED) <= set(counts), counts
    assert made.asked.total() == report["requests"]["answered"] == 60 + 27  # of C there are not 20 files
    whole = counts["whole"]
    assert sum(report["kept"].values()) == whole - sum(report["dropped"].values())
    assert {hit["task"] for hit in report["hits"]} == {"Mine/0"}
    kept = [
        text
        for path in sorted((folder / "out").rglob("*.parquet"))
        for text in pq.read_table(path)["content"].to_pylist()
    ]
    assert sum("compute_something_of" in text for text in kept) == 1  # of the copies
    assert not any("rolling_max" in text for text in kept)


def test_samples_are_compared_as_files_whatever_the_corpus_does(folder: Path, workspace: Path, tmp_path: Path) -> None:
    places = [f"synthesis.dir={tmp_path}/run", f"storage.root={tmp_path}/out"]
    with language_server(answer) as (_, url):
        synthesize(folder, workspace, url, "synthesis.seeds.count=100", "corpus.near.level=repository", *places)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["dropped"]["near copy"]


def test_shards_are_indexed_and_lead_back_to_the_seeds(folder: Path, workspace: Path, made: LanguageServer) -> None:
    snowcoder("index", "build", "synthetic_python", "synthetic_other", *overrides(folder, workspace))
    report = report_of(folder, "code_file")
    documents = {
        name: sum(IndexedSource(folder / "index" / name, split).documents for split in ("train", "held_out"))
        for name in ("synthetic_python", "synthetic_other")
    }
    assert documents == {"synthetic_python": report["kept"]["Python"], "synthetic_other": report["kept"]["C"]}
    manifests = [
        find_manifest(folder / place)
        for place in ("index/synthetic_python", "out/synthetic/python", "synthesis/code_file", "index/selected")
    ]
    index, shards, stage, seeds = (manifest for manifest in manifests if manifest)
    promised = {output.digest for output in shards.outputs}
    assert {shard["digest"] for shard in index.inputs["shards"]} == promised
    assert shards.inputs == {"synthesis": stage.digest}
    assert stage.inputs["selected"] == seeds.digest
    assert not stage.check_files(folder / "synthesis" / "code_file", digests=True)


def test_twice_is_once_and_more_seeds_ask_only_for_more(folder: Path, workspace: Path, made: LanguageServer) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.parquet")}
    synthesize(folder, workspace, "http://127.0.0.1:9/v1", *COUNT)  # nobody is there to be asked
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.parquet")} == before
    with language_server(answer) as (server, url):
        synthesize(folder, workspace, url, "synthesis.seeds.count=140", "synthesis.seeds.per_file=3")
        assert server.asked.total() == 10  # in Python; of C all are taken
        assert not server.asked.keys() & made.asked.keys()
        synthesize(folder, workspace, url, *COUNT)
        assert server.asked.total() == 10


def test_the_report_has_every_reason_and_the_likeness_to_a_benchmark(
    folder: Path, workspace: Path, made: LanguageServer
) -> None:
    snowcoder("synthesize", "report", *overrides(folder, workspace, *COUNT))
    page = (folder / "synthesis" / "code_file" / "report.html").read_text()
    for reason in PLANTED:
        assert f"<td>{reason}</td>" in page
    assert "<td>tasks</td>" in page  # the benchmark's name


def test_other_seeds_or_shards_of_another_origin_are_not_overwritten(
    folder: Path, workspace: Path, tmp_path: Path, made: LanguageServer
) -> None:
    foreign = tmp_path / "python"
    foreign.mkdir()
    pq.write_table(pa.table({"content": ["x = 1"]}), foreign / "mine.parquet")
    done = snowcoder("synthesize", *overrides(folder, workspace, f"synthesis.python={foreign}", *COUNT), check=False)
    assert done.returncode == 2
    assert "mine.parquet" in done.stderr
    assert "synthesis.python" in done.stderr


def test_oss_instruct_writes_conversations(folder: Path, workspace: Path) -> None:
    with language_server(answer) as (server, url):
        indexed_next = synthesize(folder, workspace, url, "synthesis=oss_instruct", "synthesis.seeds.count=12")
    assert not indexed_next  # but taught by `finetune`
    chat = chat_of(folder, "oss_instruct")
    assert len(chat) == 6  # no language but Python of the eight is there
    assert all(each["user"].startswith("Write a solution to the following coding problem:\nSolve") for each in chat)
    bodies = [json.loads(body) for body in server.asked]
    assert {body["temperature"] for body in bodies} == {0.0}
    for body in bodies:
        snippet = body["messages"][1]["content"].split("```")[1].strip("\n")
        assert 1 <= snippet.count("\n") + 1 <= 15


def test_self_code_align_keeps_one_answer_that_passes_its_tests(
    folder: Path, workspace: Path, sandbox: Sandbox
) -> None:
    with language_server(answer) as (_, url):
        synthesize(folder, workspace, url, "synthesis=self_code_align", "synthesis.seeds.count=4")
    chat, counts = chat_of(folder, "self_code_align"), ended(report_of(folder, "self_code_align"))
    assert len(chat) == len({each["user"] for each in chat}) >= 3
    for each in chat:
        amount = each["user"].split()[-4]
        assert f"return x + {amount}" in each["assistant"]
        assert "assert" not in each["assistant"]
    assert counts["tests: failed"]
    assert counts["another answer passed"]
    assert counts["whole"] == 40


VALUES: dict[str, list[Any]] = {
    "DecontaminationConfig.benchmarks": [[]],
    "StepConfig.prompt": ["code_file", "oss_instruct"],
    "SynthesisConfig.examples": ["self_code_align", "self_instruct"],
}


@pytest.mark.parametrize("recipe", ["code_file", "self_code_align", "self_instruct"])
@pytest.mark.usefixtures("sandbox")
def test_each_key_that_a_step_reads_decides_what_is_made_again(
    folder: Path, workspace: Path, tmp_path: Path, recipe: str
) -> None:
    few = [
        f"synthesis={recipe}",
        "synthesis.seeds.count=4",
        f"synthesis.dir={tmp_path}/run",
        f"storage.root={tmp_path}",
    ]
    with language_server(answer) as (_, url), noting((stage, "ask_models", AskModels)) as notes:
        synthesize(folder, workspace, url, *few)
    assert {Cut, AskModels, CheckSamples, Publish} <= set(notes.arguments)
    assert {(StepConfig, "max_tokens"), (SynthesisConfig, "model")} <= notes.keys[AskModels]
    assert notes.forgotten(VALUES) == []


def test_evol_instruct_goes_on_from_self_instruct(folder: Path, workspace: Path) -> None:
    with language_server(answer) as (_, url):
        synthesize(folder, workspace, url, "synthesis=self_instruct", "synthesis.seeds.count=5")
        synthesize(folder, workspace, url, "synthesis=evol_instruct")
    simple, harder = chat_of(folder, "self_instruct"), chat_of(folder, "evol_instruct")
    assert len(simple) == 10  # two of each list
    assert {each["user"] for each in harder} == {f"{each['user']} Use constant memory." for each in simple}


FEW = ["synthesis.seeds.count=20", "synthesis.seeds.per_file=3", "synthesis.seeds.shares={Python:1.0}"]


def test_what_a_server_refused_while_it_answered_others_is_asked_again_on_demand(
    folder: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = [*FEW, f"synthesis.dir={tmp_path}/run", f"storage.root={tmp_path}/out", "synthesis.requests.concurrency=1"]

    def requests() -> dict[str, Any]:
        return json.loads((tmp_path / "run/report.json").read_text())["requests"]

    with language_server() as (model, url):
        with faulty_model(url, lambda n: {5: "400", 9: "500"}.get(n)) as (_, address):
            synthesize(folder, workspace, address, *what, "synthesis.requests.attempts=1")
        assert (requests()["answered"], requests()["refused"], requests()["unanswered"]) == (18, 1, 1)
        assert "no answer yet: 1 requests" in capsys.readouterr().out
        stage.run(load_config(overrides(folder, workspace, *what)))  # with no server it is enough
        assert "1 requests have no answer" in capsys.readouterr().out
        with faulty_model(url, lambda n: "400" if n == 0 else None) as (proxy, address):
            synthesize(folder, workspace, address, *what)
            assert proxy.requests == 2
        assert (requests()["answered"], requests()["refused"], requests()["unanswered"]) == (19, 1, 0)
        synthesize(folder, workspace, "http://127.0.0.1:9/v1", *what)  # nobody is there to be asked
        synthesize(folder, workspace, url, *what, "synthesis.requests.refused_again=true")
        assert (requests()["answered"], requests()["refused"], requests()["unanswered"]) == (20, 0, 0)
        assert len(model.asked) == 20
        assert set(model.asked.values()) == {1}


def test_nothing_kept_or_nothing_answered_is_no_success(folder: Path, workspace: Path, tmp_path: Path) -> None:
    what = [*FEW, f"synthesis.dir={tmp_path}/run", f"storage.root={tmp_path}/out", "synthesis.seeds.count=10"]
    nobody = pytest.raises(OperationError, match=r"no request of code_file got .*ended by abort \(10 requests\)")
    with language_server(lambda _: ("", "abort")) as (_, url), nobody:
        synthesize(folder, workspace, url, *what, "synthesis.requests.attempts=1")
    again = f"remove {tmp_path}/run/log and {tmp_path}/run/answers"
    nothing = pytest.raises(OperationError, match=f"nothing was kept of 10 seeds: file: no block of code 10.*{again}")
    with language_server(lambda _: "<think>\nNo.\n</think>\nI would rather not.") as (_, url), nothing:
        synthesize(folder, workspace, url, *what)
    assert find_manifest(tmp_path / "run") is None
    report_stage.run(load_config(overrides(folder, workspace, *what)))
    page = (tmp_path / "run/report.html").read_text()
    assert '<td>answers whose reasoning was left out</td><td class="n">10</td>' in page
    assert "<td>tried again: ended by abort</td>" in page
    for name in ("log", "answers"):
        shutil.rmtree(tmp_path / "run" / name)
    with language_server() as (server, url):
        synthesize(folder, workspace, url, *what)
    assert len(server.asked) == 10


MADE = ("seeds", "answers", "checked")  # folders of files that the manifest vouches for


def test_files_change_only_once_nothing_vouches_for_them(
    folder: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, write, written = tmp_path / "run", steps._publish, list[str]()
    what = [*FEW, "synthesis.seeds.part=10", f"synthesis.dir={run}", f"storage.root={tmp_path}/out"]

    def noting_write(path: Path, to: Path) -> Output:
        if to.parent == run and to.name in MADE:
            assert find_manifest(run) is None
            written.append(to.name)
        return write(path, to)

    with language_server(answer) as (_, url):
        synthesize(folder, workspace, url, *what)
        monkeypatch.setattr(steps, "_publish", noting_write)
        synthesize(folder, workspace, url, *what)
        assert written == []
        for change, made_again in (
            ("synthesis.seeds.count=25", MADE),
            ("synthesis.model=another", MADE[1:]),
            ("corpus.samples=7", MADE[2:]),
        ):
            what.append(change)
            synthesize(folder, workspace, url, *what)
            assert set(written) == set(made_again)
            assert _vouched(run) == []
            written.clear()


def test_what_cannot_be_asked_costs_no_finished_files(folder: Path, workspace: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    what = [*FEW, f"synthesis.dir={run}", f"storage.root={tmp_path}/out"]
    more, another = "synthesis.seeds.count=30", "synthesis.model=another"
    with language_server(answer) as (_, url):
        synthesize(folder, workspace, url, *what)
        before = (run / NAME).read_bytes()
        with pytest.raises(UserError, match="no server is named"):
            stage.run(load_config(overrides(folder, workspace, *what, more)))
        with pytest.raises(UserError, match="is no http address"):
            synthesize(folder, workspace, "nowhere", *what, more)
        with pytest.raises(UserError, match=r"nothing\.jinja is not there"):
            synthesize(folder, workspace, url, *what, more, "synthesis.steps.file.prompt=nothing")
        with faulty_model(url, lambda _: "401") as (_, refusing), pytest.raises(UserError, match="401"):
            synthesize(folder, workspace, refusing, *what, another)
    assert (run / NAME).read_bytes() == before
    assert _vouched(run) == []


def _vouched(run: Path) -> list[str]:
    """What is wrong with the files of a manifest that is there."""
    manifest = find_manifest(run)
    assert manifest
    return manifest.check_files(run, digests=True)


def test_no_server_is_the_users_mistake(folder: Path, workspace: Path) -> None:
    done = snowcoder("synthesize", *overrides(folder, workspace, "synthesis.seeds.count=200"), check=False)
    assert done.returncode == UserError.exit_code
    assert "no server is named" in done.stderr

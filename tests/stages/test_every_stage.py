"""What every stage does, asked of each of them: its lock, its manifest, and that it does nothing twice."""

from __future__ import annotations

import ast
import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from snowcoder.cli import main
from snowcoder.errors import UserError
from snowcoder.evaluation.suites import SUITES
from snowcoder.lineage.manifest import NAME, Manifest, find_manifest
from snowcoder.stages.lock import ALL, build_lock
from snowcoder.storage.lock import locked
from tests.annotation.conftest import encoder, files  # noqa: F401
from tests.annotation.conftest import overrides as annotator_overrides
from tests.annotation.test_select import folder as selected_from  # noqa: F401
from tests.annotation.test_select import overrides as select_overrides
from tests.corpus.raw_shards import build_overrides, write_raw_shards
from tests.evaluation.conftest import small_model  # noqa: F401
from tests.export.test_export import overrides as exported_runs  # noqa: F401
from tests.repair.conftest import PYTHON
from tests.synthesis.language_server import language_server
from tests.synthesis.model import answer
from tests.synthesis.test_stage import folder as seeds  # noqa: F401
from tests.synthesis.test_stage import overrides as synthesis_overrides
from tests.test_layers import ROOT
from tests.tiny import LAYOUTS, tiny_overrides


class Case(NamedTuple):
    words: list[str]  # of the command line
    folder: Path  # of the manifest
    other: list[str]  # words more, with which it is made again
    wrong: list[str]  # words besides those, with which it is refused
    again: str = "is up to date"  # what it says where it has nothing to do
    work: Path | None = None  # that is locked, where the manifest lies elsewhere
    replaced: bool = False  # as a whole: until then the old one stays, with its manifest

    def lock(self) -> AbstractContextManager[Any]:
        if self.replaced:
            return locked(self.folder.with_name(f"{self.folder.name}.lock"), lambda: UserError("locked"))
        return build_lock(self.work or self.folder, ALL)


Fixture = Callable[[str], Any]
NO_CONTENT = ["index.columns.content=absent"]


def of_tokenizer(fixture: Fixture, tmp: Path) -> Case:
    words = ["tokenizer", "train", *tiny_overrides(tmp, f"storage.root={fixture('workspace')}/shards")]
    few = ["tokenizer.vocab_size=350", "model.vocab_size=350", "tokenizer.spare_tokens=100"]
    return Case(words, tmp / "tokenizer", ["tokenizer.spare_tokens=5"], few)


def of_corpus(fixture: Fixture, tmp: Path) -> Case:
    words = ["corpus", "build", *build_overrides(write_raw_shards(tmp / "raw"), tmp, "corpus.engine.workers=1")]
    again, other = "documents of", ["pii.enabled=false"]
    return Case(words, tmp / "clean", other, NO_CONTENT, again, tmp / "corpus")


def of_index(fixture: Fixture, tmp: Path) -> Case:
    places = [f"storage.root={fixture('workspace')}/shards", f"tokenizer.dir={fixture('workspace')}/tokenizer"]
    words = ["index", "build", "raw", *tiny_overrides(tmp, *places)]
    return Case(words, tmp / "index" / "raw", ["index.held_out=0.2"], NO_CONTENT)


def of_plan(fixture: Fixture, tmp: Path) -> Case:
    workspace, small = fixture("workspace"), []
    for n in (1, 2, 3):
        small += [f"phases.phase{n}.tokens=2048", f"phases.phase{n}.global_batch=8"]
    small += ["phases.phase1.learning_rate.warmup_steps=1", "phase=phase1", "index.held_out=0.1", *LAYOUTS["tp1"]]
    places = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index"]
    shutil.copytree(workspace / "tokenizer", tmp / "another")
    text = (tmp / "another" / "tokenizer.json").read_text()
    (tmp / "another" / "tokenizer.json").write_text(text + " ")
    words = ["plan", *tiny_overrides(tmp, *places, *small)]
    return Case(words, tmp / "plan", ["run.seed=2"], [f"tokenizer.dir={tmp}/another"])


def of_synthesis(fixture: Fixture, tmp: Path) -> Case:
    url, given = fixture("server"), fixture("seeds")
    places = [f"synthesis.dir={tmp}/made", f"storage.root={tmp}/out", f"index.dir={given}/index"]
    asked = [f"synthesis.requests.servers=[{url}]", "synthesis.seeds.count=40"]
    words = ["synthesize", *synthesis_overrides(given, fixture("workspace"), *places, *asked)]
    nobody = ["synthesis.requests.servers=[]", "synthesis.seeds.count=50"]
    return Case(words, tmp / "made", ["pii.enabled=false"], nobody, "kept")


def of_annotator(fixture: Fixture, tmp: Path) -> Case:
    words = ["annotate", "train", *_annotator(fixture, tmp)]
    return Case(words, tmp / "annotator", ["run.seed=8"], ["annotator.positives.good.files=3"])


def of_scores(fixture: Fixture, tmp: Path) -> Case:
    words = _annotator(fixture, tmp)
    main(["annotate", "train", *words])
    words = ["annotate", "score", *words, f"index.sources.raw.shards={fixture('files')}/one"]
    words.append("annotator.score.runtime=torch")
    return Case(words, tmp / "annotator" / "scores", ["index.max_document_mib=0.5"], NO_CONTENT)


def _annotator(fixture: Fixture, tmp: Path) -> list[str]:
    return annotator_overrides(tmp, fixture("files"), fixture("encoder"), "annotator.train.epochs=1")


def of_selection(fixture: Fixture, tmp: Path) -> Case:
    given = fixture("selected_from")
    words = ["annotate", "select", *select_overrides(given, fixture("workspace"), "corpus.engine.workers=1")]
    other, wrong = ["annotator.select.tokens=5000"], ["annotator.select.tokens=1000000000"]
    return Case(words, given / "index" / "selected", other, wrong)


def of_evaluation(fixture: Fixture, tmp: Path) -> Case:
    fixture("sandbox")
    path = tmp / "other" / SUITES["humaneval"].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}\n")
    words = ["evaluate", "recipe=demo", "storage=disk", f"run.dir={tmp}", "evaluation.suites=[humaneval]"]
    words += [f"evaluation.models.small={fixture('small_model')}", "evaluation.first=2"]
    words += ["evaluation.bits={source:null,solutions:[]}"]
    words += ["evaluation.generation.batch=1", "evaluation.generation.new_tokens=8"]
    return Case(words, tmp / "evaluation", ["run.seed=2"], [f"evaluation.data={tmp}/other"])


def of_finetuning(fixture: Fixture, tmp: Path) -> Case:
    turns = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}]
    (tmp / "chat.jsonl").write_text((json.dumps({"messages": turns}) + "\n") * 4)
    words = ["finetune", f"finetune.dir={tmp}/tuned", f"finetune.model={fixture('small_model')}"]
    words += [f"finetune.chat=[{tmp}/chat.jsonl]", "finetune.tokens=128", "finetune.epochs=1"]
    words += ["finetune.batch=4", "finetune.micro_batch=2"]
    return Case(words, tmp / "tuned", ["run.seed=2"], ["finetune.batch=3"])


def of_repair(fixture: Fixture, tmp: Path) -> Case:
    fixture("sandbox")
    for name, rows in (("one", [PYTHON]), ("none", [])):
        (tmp / name).write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    words = ["repair", "repair=humanevalfix_python", f"repair.data={tmp}/one", f"repair.dir={tmp}/repair"]
    words += [f"repair.model={fixture('small_model')}", "repair.generation.samples=2"]
    words += ["repair.generation.new_tokens=4"]
    return Case(words, tmp / "repair", ["run.seed=2"], [f"repair.data={tmp}/none"])


def of_export(fixture: Fixture, tmp: Path) -> Case:
    words = ["export", *fixture("exported_runs")["imported"], f"export.dir={tmp}/hf"]
    return Case(words, tmp / "hf", ["export.licence=mit"], ["export.step=99"], replaced=True)


STAGES = {
    "tokenizer train": of_tokenizer,
    "corpus build": of_corpus,
    "index": of_index,
    "plan": of_plan,
    "synthesize": of_synthesis,
    "annotate train": of_annotator,
    "annotate score": of_scores,
    "annotate select": of_selection,
    "evaluate": of_evaluation,
    "finetune": of_finetuning,
    "repair": of_repair,
    "export": of_export,
}
SLOW = {"export"}  # two runs are trained first
# One short pass over files, which asks nothing of what it made before and takes no lock: its shards have its names.
NO_STAGE = {"corpus pack"}


@pytest.fixture
def server() -> Iterator[str]:
    with language_server(answer) as (_, url):
        yield url


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in STAGES]
)
def test_a_stage_keeps_the_rules(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = STAGES[name](request.getfixturevalue, tmp_path)
    main(case.words)
    first = find_manifest(case.folder)
    assert first
    assert first.stage == name
    assert first.check_files(case.folder, digests=True) == []

    capfd.readouterr()
    main(case.words)
    assert case.again in capfd.readouterr().out
    assert find_manifest(case.folder) == first

    with pytest.raises(SystemExit, match="2"):
        main([*case.words, *case.other, *case.wrong])
    assert find_manifest(case.folder) == first

    capfd.readouterr()
    with case.lock(), pytest.raises(SystemExit, match="2"):
        main([*case.words, *case.other])
    assert f"{case.work or case.folder} is being" in capfd.readouterr().err
    assert find_manifest(case.folder) == first

    notes = noting_manifests(monkeypatch, case, first)
    main([*case.words, *case.other])
    assert notes == ([] if case.replaced else ["withdrawn"]) + ["vouched"]
    second = find_manifest(case.folder)
    assert second
    assert second != first
    assert second.check_files(case.folder, digests=True) == []


def noting_manifests(monkeypatch: pytest.MonkeyPatch, case: Case, old: Manifest) -> list[str]:
    """When the old manifest goes, and the new one comes, all that they vouch for is there."""
    notes: list[str] = []
    unlink, write = Path.unlink, Manifest.write

    def noting_unlink(path: Path, missing_ok: bool = False) -> None:
        if path == case.folder / NAME and path.exists():
            assert old.check_files(case.folder, digests=True) == []
            notes.append("withdrawn")
        unlink(path, missing_ok)

    def noting_write(self: Manifest, folder: Path) -> None:
        if self.stage == old.stage and set(self.inputs) == set(old.inputs):
            assert self.check_files(folder if case.replaced else case.folder, digests=True) == []
            assert case.replaced or not (case.folder / NAME).exists()
            notes.append("vouched")
        write(self, folder)

    monkeypatch.setattr(Path, "unlink", noting_unlink)
    monkeypatch.setattr(Manifest, "write", noting_write)
    return notes


def test_these_are_all_stages() -> None:
    """By the names that the code gives to `Stage` and `Manifest`."""
    found = set()
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        named = {node.targets[0].id: node.value for node in tree.body if _is_name(node)}  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Stage", "Manifest"):
                given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "stage")]
                found |= {
                    ast.literal_eval(named.get(getattr(each, "id", ""), each)) for each in given if _says(each, named)
                }
    assert found == {*STAGES, *NO_STAGE}


def _is_name(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant)
    )


def _says(node: ast.expr, named: dict[str, ast.expr]) -> bool:
    return isinstance(node, ast.Constant) or getattr(node, "id", "") in named

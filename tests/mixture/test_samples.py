"""A batch holds the tokens the plan says: each of an epoch once, boundaries marked, any slot alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from snowcoder.errors import OperationError, UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.samples import SampleReader
from tests.mixture.small_plan import configure, open_plan, phase, write_index

LENGTHS = np.random.default_rng(0).integers(1, 90, 60).tolist()
BEST = np.random.default_rng(1).integers(1, 30, 25).tolist()
HELD_OUT = (40, 7, 1, 90, 33)
PHASES = {
    "phase1": phase(28, 8, 32, raw=(0.75, 3), best=(0.25, 5)),
    "phase2": phase(9, 8, 24, raw=(0.5, 3), best=(0.5, 7)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixture")
    write_index(folder / "index" / "raw", LENGTHS, HELD_OUT)
    write_index(folder / "index" / "best", BEST, first=100_000)
    return folder


@pytest.fixture(scope="module")
def reader(folder: Path) -> SampleReader:
    return open_plan(configure(folder, **PHASES))


def streams(reader: SampleReader) -> dict[str, np.ndarray]:
    """Each source's stream put together from all samples of the run, by their positions."""
    found: dict[str, dict[int, np.ndarray]] = {"raw": {}, "best": {}}
    for step in range(reader.plan.total_steps):
        draws = reader.plan.draws(step)
        tokens = reader.batch(step, range(len(draws))).tokens
        for draw, row in zip(draws, tokens, strict=True):
            found[draw.source][draw.position] = row[:-1]
    return {name: np.concatenate([rows[place] for place in sorted(rows)]) for name, rows in found.items()}


def documents(index: IndexedSource) -> set[tuple[int, ...]]:
    lengths = index.lengths(np.arange(index.documents)).tolist()
    return {tuple(index.tokens_of(n, 0, length).tolist()) for n, length in enumerate(lengths)}


def test_every_document_comes_once_an_epoch_in_a_new_order(folder: Path, reader: SampleReader) -> None:
    for name, stream in streams(reader).items():
        index = IndexedSource(folder / "index" / name)
        assert len(stream) > 2 * index.tokens
        epochs = [stream[n * index.tokens :][: index.tokens] for n in range(2)]
        assert not np.array_equal(*epochs)
        for epoch in epochs:
            assert Counter(epoch.tolist()) == Counter(range(min(epoch), min(epoch) + index.tokens))
            # Cut where ids do not go on by one or a document begins: exactly the documents.
            firsts = {document[0] for document in documents(index)}
            cuts = [n for n, token in enumerate(epoch.tolist()) if token in firsts][1:]
            pieces = {tuple(piece.tolist()) for piece in np.split(epoch, cuts)}
            assert pieces == documents(index)


def test_labels_are_the_next_tokens_of_the_stream(reader: SampleReader) -> None:
    whole = streams(reader)
    for step in range(reader.plan.total_steps):
        draws = reader.plan.draws(step)
        tokens = reader.batch(step, range(8)).tokens
        for (source, position), row in zip(draws, tokens, strict=True):
            assert row[: len(whole[source]) - position].tolist() == (
                whole[source][position : position + len(row)].tolist()
            )


def test_starts_are_the_boundaries_of_documents(folder: Path, reader: SampleReader) -> None:
    firsts = {document[0] for name in ("raw", "best") for document in documents(IndexedSource(folder / "index" / name))}
    for step in range(reader.plan.total_steps):
        samples = reader.batch(step, range(8))
        for row, starts in zip(samples.tokens.tolist(), samples.starts, strict=True):
            inside = {n for n, token in enumerate(row) if token in firsts}
            assert starts.tolist() == sorted({0} | inside)


def test_any_slots_in_any_order_after_any_step_are_those_of_the_batch(folder: Path, reader: SampleReader) -> None:
    for step in (36, 3, 28):
        whole = reader.batch(step, range(8))
        fresh = SampleReader(reader.plan, folder / "plan", folder / "index")
        for slots in ([5], [6, 0, 3], range(4, 8)):
            part = fresh.batch(step, slots)
            assert part.tokens.dtype == np.int64
            np.testing.assert_array_equal(part.tokens, whole.tokens[list(slots)])
            for slot, starts in zip(slots, part.starts, strict=True):
                np.testing.assert_array_equal(starts, whole.starts[slot])


def test_the_label_after_an_epochs_last_token_is_the_next_epochs_first(tmp_path: Path) -> None:
    """Also where the run ends with the epoch: the next one is there for that label alone."""
    write_index(tmp_path / "index" / "raw", [16] * 8)
    reader = open_plan(configure(tmp_path, phase1=phase(4, 4, 16, raw=(1.0, 2))))
    rows = {}
    for step in range(4):
        tokens = reader.batch(step, range(4)).tokens.tolist()
        rows |= {draw.position: row for draw, row in zip(reader.plan.draws(step), tokens, strict=True)}
    assert sorted(rows) == list(range(0, 256, 16))
    assert all(rows[place][-1] == rows[place + 16][0] for place in range(0, 240, 16))
    assert rows[240][-1] in range(0, 128, 16)


def test_windows_longer_than_an_epoch(tmp_path: Path) -> None:
    write_index(tmp_path / "index" / "raw", [3, 1, 2, 4])
    reader = open_plan(configure(tmp_path, phase1=phase(2, 2, 25, raw=(1.0, 20))))
    rows = np.concatenate([reader.batch(step, [0, 1]).tokens[:, :-1] for step in (0, 1)])
    assert Counter(rows.ravel().tolist()) == Counter(list(range(10)) * 10)


def test_held_out_windows_cover_the_held_out_documents(folder: Path, reader: SampleReader) -> None:
    assert reader.held_out_windows("best", 16) == 0
    count = reader.held_out_windows("raw", 16)
    assert count == (sum(HELD_OUT) - 1) // 16
    samples = reader.held_out("raw", 0, count, 16)
    assert samples.tokens.shape == (count, 17)
    inputs = samples.tokens[:, :-1].ravel().tolist()
    assert len(set(inputs)) == len(inputs)
    assert min(inputs) >= sum(LENGTHS)
    np.testing.assert_array_equal(samples.tokens[1:, 0], samples.tokens[:-1, -1])
    np.testing.assert_array_equal(reader.held_out("raw", 3, 2, 16).tokens, samples.tokens[3:5])


def test_another_index_than_the_planned_one_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path / "index" / "raw", LENGTHS)
    config = configure(tmp_path, phase1=phase(2, 4, 16, raw=(1.0, 1)))
    reader = open_plan(config)
    write_index(tmp_path / "index" / "raw", LENGTHS, first=1)
    with pytest.raises(UserError, match=r"index/raw is not the one that was planned"):
        SampleReader(reader.plan, tmp_path / "plan", tmp_path / "index").batch(0, [0])


@pytest.mark.parametrize("fault", ["missing", "cut", "another"])
def test_a_table_that_is_not_right_is_named(tmp_path: Path, fault: str) -> None:
    write_index(tmp_path / "index" / "raw", LENGTHS)
    reader = open_plan(configure(tmp_path, phase1=phase(2, 4, 16, raw=(1.0, 1))))
    table = tmp_path / "plan" / "raw.epoch0.starts.npy"
    if fault == "missing":
        table.unlink()
    elif fault == "cut":
        table.write_bytes(table.read_bytes()[:-8])
    else:
        np.save(table, np.arange(3))
    with pytest.raises(OperationError, match=r"raw\.epoch0\.starts\.npy"):
        SampleReader(reader.plan, tmp_path / "plan", tmp_path / "index").batch(0, [0])


def test_sources_of_later_phases_need_not_be_there_yet(folder: Path, tmp_path: Path) -> None:
    phases = {"phase1": phase(4, 8, 32, raw=(1.0, 3)), "phase2": phase(1, 8, 24, best=(1.0, 3))}
    (tmp_path / "index").mkdir()
    for name in ("raw", "best"):
        (tmp_path / "index" / name).symlink_to(folder / "index" / name)
    reader = open_plan(configure(tmp_path, **phases))
    (tmp_path / "index" / "best").unlink()
    assert reader.batch(3, range(8)).tokens.shape == (8, 33)
    with pytest.raises(UserError, match=r"index/best has no manifest.json: run `snowcoder index build`"):
        reader.batch(4, [0])

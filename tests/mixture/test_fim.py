"""Fill-in-the-middle: texts come back, shares are those of the config, the order of the data stays a function."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcoder.config.compose import load_config
from snowcoder.errors import UserError
from snowcoder.index import verify
from snowcoder.index.fim import file_key
from snowcoder.index.layout import split
from snowcoder.index.peek import run as peek
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.documents import FimDocuments
from snowcoder.mixture.phase_plan import make_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.planning.plan import source_sizes
from snowcoder.tokenization import sentencepiece_bpe
from snowcoder.tokenization.load import FILE, Tokenizer, load_tokenizer
from snowcoder.tokenization.special import FILE_SEP, FIM_PAD, FIM_PREFIX, special_tokens
from tests.mixture import small_plan
from tests.mixture.fim_corpus import configure, make_fim, make_index, mode_of, open_plan, parts_of, restore, rows

STARCODER = "fim=starcoder"
RESERVED = 11
NASTY = "ab \r\n\té中🐍\u0301\u2581\uf8ff\uf8fd<|>0"
KEYS = st.integers(0, 2**64 - 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fim")
    make_index(folder)
    return folder


@pytest.fixture(scope="module")
def byte_level(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def sentencepieces(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("sentencepiece")
    model = sentencepiece_bpe.train_sentencepiece((row["content"] for row in rows()), 400, special_tokens(4))
    sentencepiece_bpe.to_tokenizers(model, special_tokens(4)).save(str(folder / FILE))
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def reader(folder: Path) -> SampleReader:
    return open_plan(configure(folder, STARCODER))


def ended(text: str, tokenizer: Tokenizer) -> np.ndarray:
    return np.array([*tokenizer.encode(text), tokenizer.end_of_text], np.uint16)


# The transform of one file


@settings(deadline=None, max_examples=300)
@given(
    text=st.text(
        st.one_of(st.sampled_from("ab \r\n\té中🐍\u0301\u2581\uf8ff<|>0"), st.characters(codec="utf-8")), min_size=1
    ),
    key=st.integers(0, 2**64 - 1),
)
@pytest.mark.parametrize("encoder", ["tokenizers", "gigatoken"])
def test_the_text_comes_back(byte_level: Tokenizer, encoder: str, text: str, key: int) -> None:
    ids = ended(text, byte_level)
    changed = make_fim(byte_level, encoder, rate=1.0, slack=500)(ids, key, has_path=False)
    assert changed[-1] == byte_level.end_of_text
    assert changed[0] == byte_level.special(FIM_PREFIX)
    prefix, suffix, middle = parts_of(changed, byte_level)
    assert prefix + middle + suffix == text
    assert not prefix or mode_of(changed, byte_level) == "PSM"


@settings(deadline=None)
@given(text=st.text(st.sampled_from(NASTY)), key=KEYS)
def test_it_comes_back_by_any_tokenizer_and_with_its_path(sentencepieces: Tokenizer, text: str, key: int) -> None:
    ids = ended("a/b é.py\n" + text, sentencepieces)
    changed = make_fim(sentencepieces, rate=1.0, slack=500)(ids, key, has_path=True)
    prefix, suffix, middle = parts_of(changed, sentencepieces)
    assert prefix + middle + suffix == "a/b é.py\n" + text
    assert (prefix or middle).startswith("a/b é.py\n")


@pytest.mark.parametrize(("rate", "spm"), [(0.5, 0.5), (0.9, 0.2), (1.0, 1.0), (1.0, 0.0)])
def test_shares_of_files_and_modes(byte_level: Tokenizer, rate: float, spm: float) -> None:
    fim, ids = make_fim(byte_level, rate=rate, spm=spm), ended("x.py\nreturn value", byte_level)
    count = 3000
    modes = Counter(mode_of(fim(ids, file_key(1, "raw", n, 0, 0), True), byte_level) for n in range(count))
    transformed = count - modes[""]
    assert transformed / count == pytest.approx(rate, abs=4 * (rate * (1 - rate) / count) ** 0.5)
    assert modes["SPM"] / transformed == pytest.approx(spm, abs=4 * (spm * (1 - spm) / transformed) ** 0.5)


def test_cuts_fall_between_any_two_characters(byte_level: Tokenizer) -> None:
    """Each place is as likely as another, also the ends and those inside a token."""
    fim, text = make_fim(byte_level, rate=1.0, spm=0.0), "return🐍"
    ids = ended(text, byte_level)
    cuts = Counter[int]()
    for key in range(4000):
        prefix, _, middle = parts_of(fim(ids, key, False), byte_level)
        cuts.update([len(prefix), len(prefix + middle)])
    assert set(cuts) == set(range(len(text) + 1))
    assert max(cuts.values()) / min(cuts.values()) < 1.3


def test_a_file_that_would_not_fit_or_is_too_long_stays(byte_level: Tokenizer) -> None:
    ids = ended("return self.value[index] " * 40, byte_level)
    for slack in (0, 1, 2):
        fim = make_fim(byte_level, rate=1.0, slack=slack)
        lengths = [len(fim(ids, key, False)) for key in range(200)]
        assert set(lengths) >= {len(ids), len(ids) + 3 + slack}
        assert max(lengths) == len(ids) + 3 + slack
    short = make_fim(byte_level, rate=1.0, longest=len(ids))
    assert any(len(short(ids, key, False)) > len(ids) for key in range(9))
    shorter = make_fim(byte_level, rate=1.0, longest=len(ids) - 1)
    assert all(np.array_equal(shorter(ids, key, False), ids) for key in range(9))


def test_it_is_decided_by_seed_source_document_epoch_and_file(byte_level: Tokenizer) -> None:
    fim, ids = make_fim(byte_level, rate=1.0), ended("x = 1\n" * 50, byte_level)
    base = (1, "raw", 7, 0, 0)
    once, again = (make_fim(byte_level, rate=1.0)(ids, file_key(*base), False) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    for place, other in enumerate((2, "best", 8, 1, 1)):
        changed = [*base[:place], other, *base[place + 1 :]]
        assert not np.array_equal(once, fim(ids, file_key(*changed), False))


def test_the_same_on_every_machine(byte_level: Tokenizer) -> None:
    """What came of it was written down: a version of anything that changes it would change the data of a run."""
    fim = make_fim(byte_level, rate=1.0)
    ids = ended("x.py\nreturn value", byte_level)
    found = [parts_of(fim(ids, file_key(1, "raw", n, 2, 0), True), byte_level) for n in range(3)]
    assert found == [
        ("x.py\nre", "ue", "turn val"),
        ("x.py\nreturn va", "", "lue"),
        ("x.py\nreturn valu", "e", ""),
    ]


# Streams


def documents_of(reader: SampleReader) -> FimDocuments:
    source = reader._stream("raw", "train").source
    assert isinstance(source, FimDocuments)
    return source


def whole(reader: SampleReader, epoch: int, document: int) -> np.ndarray:
    return documents_of(reader).read(epoch, document, 0, 10**9)


def files_in(ids: np.ndarray, tokenizer: Tokenizer) -> list[np.ndarray]:
    """The files of a document as it is read, without name and padding."""
    pieces = split(ids[ids != tokenizer.special(FIM_PAD)], tokenizer)
    return pieces[1:] or pieces


def test_every_file_has_its_room_and_its_text(folder: Path, reader: SampleReader, byte_level: Tokenizer) -> None:
    index, source = IndexedSource(folder / "index" / "raw"), documents_of(reader)
    assert index.files > index.documents
    assert source.tokens == index.tokens + RESERVED * index.files
    assert reader.plan.phases[0].sources[0].epoch_tokens == source.tokens
    modes = Counter[str]()
    for document in range(index.documents):
        plain = index.tokens_of(document, 0, 10**9)
        for epoch in (0, 1):
            ids = whole(reader, epoch, document)
            assert ids.dtype == plain.dtype
            assert len(ids) == source.lengths(np.array([document]))[0]
            assert len(ids) == len(plain) + RESERVED * len(files_in(plain, byte_level))
            for before, after in zip(files_in(plain, byte_level), files_in(ids, byte_level), strict=True):
                assert restore(after, byte_level) == byte_level.decode(before[:-1].tolist())
                assert after[-1] == before[-1]
                modes[mode_of(after, byte_level)] += 1
    assert min(modes[mode] for mode in ("", "PSM", "SPM")) > 20


def test_padding_comes_after_the_token_that_ends_a_file(reader: SampleReader, byte_level: Tokenizer) -> None:
    separators = [byte_level.special(FILE_SEP), byte_level.end_of_text]
    for document in range(documents_of(reader).documents):
        ids = whole(reader, 0, document)
        padding = ids == byte_level.special(FIM_PAD)
        before = ids[np.flatnonzero(padding & ~np.roll(padding, 1)) - 1]
        assert np.isin(before, separators).all()


def test_epochs_differ(reader: SampleReader) -> None:
    count = documents_of(reader).documents
    same = [np.array_equal(whole(reader, 0, n), whole(reader, 1, n)) for n in range(count)]
    assert sum(same) < count * 0.6


def test_any_window_is_a_slice_of_the_stream(folder: Path, reader: SampleReader) -> None:
    stream, source = reader._stream("raw", "train"), documents_of(reader)
    pieces = []
    for epoch in stream._epochs[:2]:
        order = epoch.documents(np.arange(source.documents), source.documents, reader.plan.seed)
        pieces += [whole(reader, epoch.number, document) for document in order.tolist()]
    everything, begins = np.concatenate(pieces), np.cumsum([0, *map(len, pieces)])
    choose = random.Random(3)
    for _ in range(400):
        length = choose.choice([1, 2, 9, 33, 300])
        position = choose.randrange(len(everything) - length)
        window = stream.window(position, length)
        np.testing.assert_array_equal(window.tokens, everything[position : position + length])
        inside = begins[(begins > position) & (begins < position + length)] - position
        assert window.starts.tolist() == [0, *inside]


def test_a_part_of_a_document_is_a_slice_of_it(reader: SampleReader) -> None:
    source = documents_of(reader)
    for document in range(0, source.documents, 3):
        ids = whole(reader, 0, document)
        for start in range(len(ids)):
            np.testing.assert_array_equal(source.read(0, document, start, start + 7), ids[start : start + 7])


def test_padding_is_masked_and_nothing_else(folder: Path, reader: SampleReader, byte_level: Tokenizer) -> None:
    padding = byte_level.special(FIM_PAD)
    masked = 0
    for step in range(reader.plan.total_steps):
        samples = reader.batch(step, range(8))
        np.testing.assert_array_equal(samples.loss_mask, samples.tokens[:, 1:] != padding)
        masked += np.count_nonzero(~samples.loss_mask)
    assert 0 < masked < 0.4 * 10240


def test_held_out_documents_are_not_transformed(folder: Path, reader: SampleReader, byte_level: Tokenizer) -> None:
    samples = reader.held_out("raw", 0, reader.held_out_windows("raw", 16), 16)
    assert len(samples.tokens)
    assert not np.isin(samples.tokens, [byte_level.special(FIM_PREFIX), byte_level.special(FIM_PAD)]).any()
    assert samples.loss_mask.all()


# Plans


def test_a_rate_of_zero_changes_nothing(folder: Path, tmp_path: Path) -> None:
    off, zero = (
        ("fim=off", f"plan.dir={tmp_path / 'off'}"),
        ("fim=starcoder", "fim.rate=0", f"plan.dir={tmp_path / '0'}"),
    )
    one, other = (open_plan(configure(folder, *words)) for words in (off, zero))
    before, after = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("off", "0"))
    assert before == after
    assert b"fim" not in before["plan.json"]
    index = IndexedSource(folder / "index" / "raw")
    assert one.plan.phases[0].sources[0].epoch_tokens == index.tokens
    np.testing.assert_array_equal(one.batch(0, range(8)).tokens, other.batch(0, range(8)).tokens)
    assert one.batch(0, range(8)).loss_mask.all()


@pytest.mark.parametrize("change", ["rate=0.4", "spm=0.1", "slack=9", "longest=99"])
def test_whatever_changes_the_transform_changes_the_plan(folder: Path, reader: SampleReader, change: str) -> None:
    config = configure(folder, STARCODER, f"fim.{change}")
    assert make_plan(config, source_sizes(config)).digest != reader.plan.digest


def test_the_arctic_recipe_is_without() -> None:
    assert load_config(["recipe=arctic"]).fim.rate == 0


def test_an_index_that_does_not_count_files_has_one_in_each_document(folder: Path, tmp_path: Path) -> None:
    """As those of earlier versions."""
    small_plan.write_index(tmp_path / "index" / "raw", [30, 200, 7, 401, 40])
    config = configure(folder, STARCODER, f"index.dir={tmp_path / 'index'}", f"plan.dir={tmp_path / 'plan'}")
    plan = open_plan(config).plan
    assert plan.phases[0].sources[0].epoch_tokens == 678 + 5 * RESERVED
    starts = np.load(tmp_path / "plan" / "raw.epoch0.starts.npy")
    rooms = np.diff([*starts, 678 + 5 * RESERVED])
    assert sorted(rooms.tolist()) == [length + RESERVED for length in (7, 30, 40, 200, 401)]


# Peek


def test_peek_shows_a_document_of_an_epoch(
    folder: Path, reader: SampleReader, byte_level: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    verify.run(configure(folder))
    capsys.readouterr()
    config = configure(folder, STARCODER)
    for document in range(8):
        peek(config, "raw", str(document), "1", "1")
        shown = capsys.readouterr().out
        for file in files_in(whole(reader, 1, document), byte_level):
            assert f"{byte_level.decode(file.tolist())}\n" in shown
    for words in (["raw", "0", "1", "x"], ["raw", "0", "1", "-1"]):
        with pytest.raises(UserError, match="give a number from 0 on"):
            peek(config, *words)
    with pytest.raises(UserError, match="fim=starcoder"):
        peek(configure(folder), "raw", "0", "1", "0")

"""Personal data and secrets: found in labelled lines, replaced without harm, in time that grows with the text."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcoder.config.corpus_schema import PiiConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.pii import Redactor, evaluate
from snowcoder.corpus.pii.evaluate import examples
from snowcoder.corpus.pii.redact import find
from tests.corpus.raw_shards import library

FLOORS = {"email": (0.95, 0.9), "ip_address": (0.95, 0.9), "key": (0.95, 0.9), "password": (0.95, 0.8)}


def redact(text: str, enabled: bool = True) -> str:
    document = Document(text, "repository", "a.py", "Python", ())
    return Redactor(PiiConfig(enabled=enabled)).redact(document)[0]


@pytest.mark.parametrize("kind", FLOORS)
def test_precision_and_recall_on_the_labelled_lines(kind: str) -> None:
    score = evaluate()[kind]
    assert score.labelled >= 15
    assert (score.precision, score.recall) >= FLOORS[kind]
    assert score.recall >= FLOORS[kind][1]


def test_what_is_labelled_is_gone_and_the_rest_stays() -> None:
    for example in examples():
        if not example.labels:
            assert redact(example.text) == example.text
    assert redact('x = "ada@byron.co.uk"  # é\r\n') == 'x = "<EMAIL>"  # é\r\n'
    assert redact("password = 'Tr0ub4dor&3'") == "password = '<PASSWORD>'"


def test_the_same_address_gets_the_same_stand_in() -> None:
    text = redact("A = '93.184.216.34'\nB = '52.14.77.201'\nC = '93.184.216.34'\n")
    first, _, third = (line.split("'")[1] for line in text.splitlines())
    assert first == third
    assert first.startswith(("172.16.", "192.168."))
    assert "fc00:" in redact("2607:f8b0:4005:805::200e") or "fd" in redact("2607:f8b0:4005:805::200e")


def test_turned_off_nothing_changes() -> None:
    assert redact("ada@byron.co.uk", enabled=False) == "ada@byron.co.uk"


def test_code_stays_code() -> None:
    """In quotes and comments a replacement is a string like any other: real files parse as before."""
    secret = "api_key = 'Zq81kLmX29fjw8TtYb3nQe57'\nhost = '52.14.77.201'\n"
    for text in library()[:10]:
        changed = redact(text + secret)
        assert ast.dump(ast.parse(redact(text))).count("FunctionDef") == ast.dump(ast.parse(text)).count("FunctionDef")
        assert ast.parse(changed)
        assert "Zq81" not in changed


PIECES = ["ada@byron.co.uk", "52.14.77.201", "password='a1b2c3d4'", "://u:p4ssw0rd@h", "2607:f8b0:4005:805::200e", "@"]


@given(st.lists(st.sampled_from([*PIECES, " ", "\n", "'", ".", ":", "x", "0", "İ", "é"]), max_size=30))
def test_redacting_twice_changes_nothing_more(pieces: list[str]) -> None:
    text = " ".join(pieces)
    once = redact(text)
    assert redact(once) == once
    assert [(finding.start, finding.end) for finding in find(text)] == sorted(
        (finding.start, finding.end) for finding in find(text)
    )


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "1.",
            "@a.a",
            "a@",
            "password=",
            "password='",
            "api_key:",
            "::1",
            "1:1:",
            "eyJ",
            "AKIA",
            "://a:b",
            "-----",
        ),
        *(
            "-----BEGIN PRIVATE KEY-----",
            "x_token",
            "aws key ",
            "A" * 63 + "\n",
            "xoxb-1-",
            "SG.",
            "_authToken=",
            "\\n",
        ),
    ],
)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    """Four times the text takes four times as long; quadratic would be sixteen, and minutes for what follows it."""
    text = piece * ((64 << 10) // len(piece))
    small, large = (min(_seconds(text * times) for _ in range(3)) for times in (1, 4))
    assert large < 9 * small + 0.05


def _seconds(text: str) -> float:
    begun = time.process_time()
    find(text)
    return time.process_time() - begun

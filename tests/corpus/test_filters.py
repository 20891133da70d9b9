"""Each rule just under and just over its number, on real code, and against the originals' formulas."""

from __future__ import annotations

import base64
import random
import re
import sysconfig
import time
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.corpus.document import Document
from snowcoder.corpus.filters import encoded, first_fault, make_filters
from snowcoder.corpus.filters.text import count_digits, count_letters
from snowcoder.errors import UserError

CODE = Path(sysconfig.get_paths()["stdlib"], "argparse.py").read_text()
RECIPES = ("arctic", "starcoder", "starcoder2", "deepseek_coder")


def fault(content: str, recipe: str = "starcoder2", language: str = "Python", path: str = "a/b.py") -> str | None:
    """`filter: detail` of the rule that drops the file."""
    found = first_fault(
        make_filters(load_config([f"filters={recipe}"]).filters), Document(content, "r", path, language, ())
    )
    return found and f"{found.filter}: {found.detail}"


@pytest.mark.parametrize("recipe", RECIPES)
def test_real_code_is_kept(recipe: str) -> None:
    assert fault(CODE, recipe) is None


def test_long_lines() -> None:
    assert fault(f"{CODE}x = '{'word ' * 198}'") is None
    assert fault(f"{CODE}{'a b ' * 250}\n") is None
    assert fault(f"{CODE}{'a b ' * 250}c\n") == "lines: longest line 1,001 > 1,000"
    assert fault("a b " * 25 + "\n" + "a b " * 25 + "\n") is None
    assert fault("a b " * 25 + "c\n" + "a b " * 25 + "c\n") == "lines: mean line 101 > 100"
    assert fault("a b " * 25_000, language="TeX") is None
    assert fault("a b " * 25_000 + "c", language="TeX") == "lines: longest line 100,001 > 100,000"


def test_too_many_lines() -> None:
    assert fault("f(x)\n" * 99_999) is None
    assert fault("f(x)\n" * 100_000) == "max_lines: 100,001 lines > 100,000"


def test_few_letters() -> None:
    """StarCoder counts digits, the others do not."""
    assert fault("ab.{}()=" * 3) is None
    assert fault("a1.{}()=" * 3) == "characters: 12% letters < 25%"
    assert fault("a1.{}()=" * 3, "starcoder") is None
    assert fault("i1.{}()=" * 3, language="WebAssembly") is None


@pytest.mark.parametrize("text", [CODE, "naïve = 'größe' # 变量 ٣½\n", "", "\x00\ud7ff"])
def test_letters_are_those_of_the_original_formula(text: str) -> None:
    assert count_letters(text) == sum(map(str.isalpha, text))
    assert count_letters(text) + count_digits(text) == sum(map(str.isalnum, text))


def test_vendored_files() -> None:
    assert fault(CODE, "arctic", path="node_modules/x/y.py") == "vendored: its path is one of libraries' copies"
    assert fault(CODE, "starcoder2", path="third_party/y.py") is None
    assert fault(CODE, "arctic", path="third_party/y.py") is not None


def test_encoded_data() -> None:
    data = base64.b64encode(random.Random(1).randbytes(900)).decode()
    lines = "\n".join(f"    '{data[at : at + 64]}'," for at in range(0, 1024, 64))
    assert fault(f"{CODE}\nX = [\n{lines}\n]\n") is None  # many pieces, none of them long
    assert fault(f"{CODE}\nX = '''{data[:800]}'''\n") is None
    wrapped = "\n".join(data[at : at + 64] for at in range(0, 1200, 64))
    assert fault(f"{CODE}\nX = '''{wrapped}'''\n") == f"encoded: {len(wrapped):,} characters of base64 > 1,024"
    lines = "\n".join(f"x = '{data[at : at + 80]}'" for at in range(0, 800, 80))
    assert fault(lines) == "encoded: 92% base64 > 50%"
    table = ",\n".join(",".join(f"0x{byte:02x}" for byte in random.Random(seed).randbytes(10)) for seed in range(10))
    assert fault(f"int table[] = {{{table}}};", language="C") == "encoded: 95% hexadecimal data > 50%"
    assert fault("x = '" + "\\u00e4" * 15 + "'") == "encoded: 94% unicode escapes > 50%"


def test_spared_expressions_find_what_the_original_ones_find() -> None:
    draw, limits = random.Random(3), (64, 0.2)
    pieces = [
        CODE[:3000],
        "deadbeef " * 9,
        "0x12,0xab," * 9,
        "\\x12\\x34" * 9,
        "QUJD" * 30,
        "é\u2003" * 5,
        " \n\t" * 30,
    ]
    patterns = {
        "base64": re.compile(r"[a-zA-Z0-9+/\n=]{64,}"),
        "hexadecimal data": re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}"),
        "unicode escapes": re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}"),
    }
    decided = 0
    for _ in range(300):
        text = "".join(draw.choice(pieces)[: draw.randint(1, 400)] for _ in range(draw.randint(1, 8)))
        for name, find in encoded.KINDS.items():
            lengths = [match.end() - match.start() for match in patterns[name].finditer(text)]
            total, longest = find(text, *limits)
            drops = max(lengths, default=0) > limits[0] or sum(lengths) > limits[1] * len(text)
            assert (longest > limits[0] or total > limits[1] * len(text)) == drops, (name, text)
            decided += drops
    assert 100 < decided < 800


def test_markup_data_and_texts() -> None:
    assert fault('<?xml version="1.0"?>' + CODE, "starcoder") == "xml: begins as XML does"
    assert fault("x" * 99, "starcoder", "JSON") == "sizes: 99 characters, not 100 to 5,000"
    assert fault("x\n" * 512, "starcoder2", "YAML") == "data: 513 lines > 512"
    page = f"<html><script>{CODE[:4000]}</script><p>{'word ' * 20}</p></html>"
    assert fault(page, "starcoder2", "HTML") == "html: 2% visible text < 20%"
    assert fault("word " * 50, "starcoder2", "Text", "notes.txt") is None
    assert fault("word " * 50, "starcoder2", "Text", "story.txt") == "text_names: not a text that comes with code"


@pytest.mark.parametrize("piece", ["0x", "ab ", "A", "\\u00e4", "\\x", " ", "a,", "\u2003"])
def test_no_text_takes_long(piece: str) -> None:
    begun = time.process_time()
    fault((piece * (1 << 20))[: 1 << 20], "starcoder2")
    assert time.process_time() - begun < 5


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(UserError, match=r"filters.vendoredd: unknown key \(did you mean filters.vendored\?\)"):
        load_config(["filters.vendoredd=true"])

"""Personal data and secrets: found in labelled lines, replaced without harm, in time that grows with the text."""

from __future__ import annotations

import ast
import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcoder.config.corpus_schema import PiiConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.labelled import HELD_OUT, TUNED, RuleScore
from snowcoder.corpus.pii import Redactor, evaluate
from snowcoder.corpus.pii.evaluate import Example, examples
from snowcoder.corpus.pii.redact import find_personal_data
from tests.corpus.raw_shards import library


def redact(text: str, language: str = "Python", enabled: bool = True) -> str:
    document = Document(text, "repository", "a.py", language, ())
    return Redactor(PiiConfig(enabled=enabled)).redact(document)[0]


# Precision and recall at least, a little below what was measured.
FLOORS = {
    TUNED: {"email": (0.95, 0.9), "ip_address": (0.98, 0.95), "key": (0.95, 0.95), "password": (0.98, 0.95)},
    HELD_OUT: {"email": (0.88, 0.95), "ip_address": (0.93, 0.95), "key": (0.93, 0.85), "password": (0.97, 0.9)},
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, floors in FLOORS.items() for kind in floors])
def test_precision_and_recall_on_either_half(name: str, kind: str) -> None:
    score, (precision, recall) = evaluate(name)[kind], FLOORS[name][kind]
    assert score.labelled >= 15
    assert score.precision >= precision
    assert score.recall >= recall


def test_the_halves_share_no_example() -> None:
    labelled, held_out = ({example.text for example in examples(name)} for name in (TUNED, HELD_OUT))
    assert not labelled & held_out
    assert min(len(labelled), len(held_out)) >= 150
    assert all(value in example.text for example in examples() for _, value in example.labels)


def test_a_miss_and_a_false_alarm_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three that are labelled one is found; one that is found is none, and one is far more than the label."""
    planted = [
        Example("ada@byron.co.uk and hidden", "", [("email", "ada@byron.co.uk"), ("email", "hidden")]),
        Example("bob@byron.co.uk", "", []),
        Example("eve@byron.co.uk", "", [("email", "co.uk")]),
    ]
    monkeypatch.setitem(evaluate.__globals__, "examples", lambda *names: planted)
    assert evaluate()["email"] == RuleScore(precision=1 / 3, recall=1 / 3, labelled=3)


def test_what_is_labelled_is_gone_and_the_rest_stays() -> None:
    for example in examples(TUNED):
        if not example.labels:
            assert redact(example.text, example.language) == example.text
    assert redact('x = "ada@byron.co.uk"  # é\r\n') == 'x = "<EMAIL>"  # é\r\n'
    assert redact("password = 'Tr0ub4dor&3'") == "password = '<PASSWORD>'"
    assert redact("a = 'AccountKey=" + "q" * 86 + "==;'") == "a = 'AccountKey=<KEY>;'"


def test_an_escape_before_an_address_stays_one() -> None:
    text = json.dumps({"to": "\nada@byron.co.uk\n<bob@byron.co.uk>"}).replace("<", "\\u003c")
    assert json.loads(redact(text, "JSON")) == {"to": "\n<EMAIL>\n<<EMAIL>>"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "q @ k.transpose(1, 2)",
            "x=q@k.transpose",
            "y = W@x.data()",
            "this@Screen.name",
            "'%s@mail.com'",
            "$u@mail.com",
        ),
        *(
            "://u:z9@h",
            "q@k.inv",
            "git@host.com:a/b.git",
            "08:00:2b:01:02:03:04:05",
            "2.5.29.17",
            "8.26.56.26",
            "//u:abc@host",
        ),
        'BEGIN = "-----BEGIN PRIVATE KEY-----\\n".encode()\nEND = "\\n-----END PRIVATE KEY-----"',
        "password = compute1(x);",
        "password = 'log4j2.trustStorePassword'",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redact(text) == text


def test_values_go_without_quotes_where_the_language_has_it_so() -> None:
    assert redact("password: k1ngfisher\n", "YAML") == "password: <PASSWORD>\n"
    assert redact("export DB_PASSWORD=k1ngfisher\r\n", "Shell") == "export DB_PASSWORD=<PASSWORD>\r\n"
    assert redact("password = k1ngfisher\n", "Python") == "password = k1ngfisher\n"


def test_what_is_said_once_to_be_a_version_is_one_in_the_whole_text() -> None:
    changes = "## 1.24.1.0 - 2016-05-04\n\n* Reverts what 1.24.1.0 broke\n"
    assert redact(changes, "Markdown") == changes
    assert "1.24.1.0" not in redact("* Reverts what 1.24.1.0 broke\n", "Markdown")


def test_what_stands_once_in_the_place_of_a_host_is_no_version_in_the_whole_text() -> None:
    assert "52.15.78.9" not in redact("version 52.15.78.9\nssh root@52.15.78.9\n", "Shell")
    assert "52.15.78.9" not in redact("## 52.15.78.9 - 2016-05-04\n\nallow 52.15.78.9/32\n", "Markdown")


def test_no_half_of_a_password_is_left() -> None:
    assert redact("ENV DB_PASSWORD=k1ng&fisher\n", "Dockerfile") == "ENV DB_PASSWORD=<PASSWORD>\n"
    assert redact("'postgres://app:k1ng@f1sher@h/x'") == "'postgres://app:<PASSWORD>@h/x'"
    assert redact("mysql -p'k1ng&f1sher' app", "Shell") == "mysql -p'<PASSWORD>' app"
    assert redact("tool --password=k1ngf1(sher", "Shell") == "tool --password=k1ngf1(sher"


def test_of_a_backward_address_it_is_the_forward_one_that_counts() -> None:
    assert redact("1.0.168.192.in-addr.arpa") == "1.0.168.192.in-addr.arpa"
    assert redact("168.192.0.52.in-addr.arpa") != "168.192.0.52.in-addr.arpa"


def test_a_list_of_names_goes_on_in_the_next_line_but_no_argument() -> None:
    assert redact("NAMES = ['get_password',\n    'x509_info_st']") == "NAMES = ['get_password',\n    'x509_info_st']"
    assert redact("password =\\\n    'k1ngfisher'") == "password =\\\n    '<PASSWORD>'"
    assert redact("define('PASSWORD', 'k1ngfisher')") == "define('PASSWORD', '<PASSWORD>')"


def test_the_same_address_gets_the_same_stand_in() -> None:
    text = redact("A = '93.184.216.34'\nB = '52.14.77.201'\nC = '93.184.216.34'\n")
    first, _, third = (line.split("'")[1] for line in text.splitlines())
    assert first == third
    assert first.startswith(("172.16.", "192.168."))
    assert redact("2607:f8b0:4005:805::200e").startswith(("fc00:", "fd"))


def test_what_a_replacement_uncovers_is_replaced_too() -> None:
    """Within a longer word the address was none."""
    assert redact("52.14.77.201AKIA5KL9F8YYLBEG1RHD").endswith("<KEY>")
    assert "52.14" not in redact("52.14.77.201AKIA5KL9F8YYLBEG1RHD")


def test_what_overlaps_goes_as_a_whole() -> None:
    """The address begins within the key, 64 characters before the @."""
    key = "sk-" + "Zq81kLmX29fjw8TtYb3nQe57" * 4
    assert redact(f"'{key}@byron.co.uk'") == "'<KEY>'"
    assert redact("'eyJhbGciOiJIUzI1NiJ9." + "eyJhbGciOiJIUzI1NiJ9" * 100 + ".c2ln'") == "'<KEY>'"


def test_what_is_longer_in_lower_case_moves_nothing() -> None:
    assert redact("İ" * 20 + " password = 'Tr0ub4dor&3'") == "İ" * 20 + " password = '<PASSWORD>'"


def test_short_addresses_get_short_stand_ins() -> None:
    texts = [f"2600:{number:x}:2::3{number:x}" for number in range(16, 200)]
    assert all(len(redact(text)) <= 2 * len(text) for text in texts)
    assert redact(texts[0]) != texts[0]


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


PIECES = [
    *("ada@byron.co.uk", "52.14.77.201", "2607:f8b0:4005:805::200e", "2600:1:2::33", "://u:p4ssw0rd@h", "://u:1@h"),
    *("password='a1b2c3d4'", "pwd=a1b2c3d4;", "token: ", "AKIA5KL9F8YYLBEG1RHD", "-----BEGIN PRIVATE KEY-----"),
    *(
        "-----END PRIVATE KEY-----",
        "Zq81kLmX29fjw8TtYb3nQe57Zq81kLmX29fjw8TtYb3nQe57",
        "sk-",
        "eyJhbGciOiJI",
        "@",
        "\\n",
    ),
    *(" ", "\n", "\r\n", "'", '"', ".", ":", "=", ";", "x", "0", "İ", "é", "中", "<KEY>", "<EMAIL>"),
]
TEXTS = st.builds(
    lambda pieces, glue: glue.join(pieces), st.lists(st.sampled_from(PIECES), max_size=30), st.sampled_from(["", " "])
)


@given(TEXTS, st.sampled_from(["Python", "YAML"]))
def test_redacting_twice_changes_nothing_more(text: str, language: str) -> None:
    once = redact(text, language)
    assert redact(once, language) == once


@given(st.one_of(TEXTS, st.text()))
def test_findings_are_in_order_and_the_text_at_most_twice_as_long(text: str) -> None:
    findings = find_personal_data(text, "YAML")
    assert all(finding.start < finding.end for finding in findings)
    assert all(one.end <= following.start for one, following in pairwise(findings))
    assert len(redact(text, "YAML").encode()) <= 2 * len(text.encode())


@pytest.mark.parametrize(
    "piece",
    [
        *("a", "1.", "1.1.1.", "@a.a", "a@", "a@a.aa", "::1", "1:1:", "-----", "\\n", "A" * 63 + "\n", "x" * 300 + "@"),
        *("password=", "password='", "password", "secret", "api_key:", "x_token", "aws key ", "pwd=a;", "'pwd=a"),
        *(
            "eyJ",
            "eyJ-",
            "eyJ.",
            "AKIA",
            "AC" + "a" * 31,
            "xoxb-1-",
            "SG.",
            "sk-",
            "sk-T3BlbkFJ-",
            "pypi-AgEIcHlwaS5vcmc",
        ),
        *("//x/:_authToken", "_authToken=", "://", "://a:b", "://a:b@", "glpat-", "-----BEGIN PRIVATE KEY-----"),
        *("-----BEGIN PRIVATE KEY-----" + "-----END PRIVATE KEY", "2600:", "key", "github_pat_"),
        *("password: a | ", "password: |\n a", "password = f(", "password(", "${password:-", "' password'", "pwd\n"),
        *("mysql -p", "curl -u a:", "echo a:", "identified by '", "login a password ", "jdbc:oracle:thin:a/"),
        *("--password a ", "name: password\n value: a", "<add name='password'>a", "://a:b@b@", "f('password', '"),
        *("Opera/99.1.1.1", "a-99.1.1.1", "99.1.1.1 < ", "## 99.1.1.1\n", "A/9.9 b/99.1.1.1"),
    ],
)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    """Four times the text takes four times as long; quadratic would be sixteen, and minutes for what follows it."""
    text = piece * ((24 << 10) // len(piece))
    small, large = (min(_seconds(text * times) for _ in range(2)) for times in (1, 4))
    assert large < 9 * small + 0.05


def _seconds(text: str) -> float:
    begun = time.process_time()
    find_personal_data(text, "YAML")
    return time.process_time() - begun

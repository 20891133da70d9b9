"""The client before servers that fail: every answer comes, once, and what fails for good says so."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from snowcoder.answers import Answer
from snowcoder.config.synthesis_schema import RequestsConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.synthesis.requests import AnswerLog, Refused, Request, Unanswered, open_client
from snowcoder.synthesis.requests.server import Server
from tests.synthesis.faulty_model import faulty_model
from tests.synthesis.language_server import code_file, language_server

FAULTS = ("429", "500", "503", "garbage", "page", "empty", "half", "lost", "nothing")


def settings(*servers: str, **changes: Any) -> RequestsConfig:
    values = {
        "servers": list(servers),
        "servers_file": None,
        "key": "A_KEY_FOR_TESTS",
        "concurrency": 32,
        "deadline_seconds": 1.5,
        "attempts": 5,
        "patience_minutes": 1.0,
        "refused_again": False,
        "input_price": 0.0,
        "output_price": 0.0,
    }
    return RequestsConfig(**{**values, **changes})


def request(number: int) -> Request:
    return Request.of({"model": "m", "messages": [{"role": "user", "content": f"question {number}"}], "seed": number})


def ask(config: RequestsConfig, path: Path, numbers: range) -> list[Answer | BaseException]:
    async def run() -> list[Answer | BaseException]:
        log = AnswerLog(path, secret="sk-secret-of-a-test")
        async with open_client(config) as client:
            asked = (client.ask(request(number), log) for number in numbers)
            found = await asyncio.gather(*asked, return_exceptions=True)
        log.close()
        return found

    return asyncio.run(run())


def expected(number: int) -> str:
    return code_file(request(number).body)


def test_every_fault_is_survived_and_nothing_is_asked_twice_that_was_answered(tmp_path: Path) -> None:
    with language_server() as (model, url):
        # Of every ten requests the first ones fail, each in another way.
        with faulty_model(url, lambda n: FAULTS[n // 10 % len(FAULTS)] if n % 10 < 3 else None) as (proxy, address):
            answers = ask(settings(address, attempts=20), tmp_path / "log", range(120))
        assert [answer.text for answer in answers if isinstance(answer, Answer)] == [expected(n) for n in range(120)]
        assert all(proxy.done[fault] for fault in FAULTS)
        # Only what was cut off on its way back came to the model again.
        again = sum(model.asked.values()) - 120
        assert again == proxy.done["half"] + proxy.done["lost"]
        before = sum(model.asked.values())
        assert ask(settings(url), tmp_path / "log", range(120)) == answers
        assert sum(model.asked.values()) == before


def test_a_server_that_says_when_to_come_again_is_left_alone_until_then(tmp_path: Path) -> None:
    with language_server() as (_, url), faulty_model(url, lambda n: "429" if n == 0 else None) as (_, address):
        begun = time.monotonic()
        (answer,) = ask(settings(address, attempts=1), tmp_path / "log", range(1))
        assert isinstance(answer, Answer)
        assert 1.0 <= time.monotonic() - begun < 3.0  # Retry-After: 1; that is not held against the request


def test_the_limit_shrinks_to_what_the_server_takes(tmp_path: Path) -> None:
    """It refuses what is more than 6 at once; in the end few are refused."""
    with (
        language_server(seconds=0.02) as (model, url),
        faulty_model(url, lambda _: "429 now" if model.in_flight >= 6 else None) as (proxy, address),
    ):
        answers = ask(settings(address, concurrency=64), tmp_path / "log", range(300))
    assert all(isinstance(answer, Answer) for answer in answers)
    assert 0 < proxy.done["429 now"] < 60  # with a limit that stays it refuses more than a hundred


def test_requests_go_to_all_servers_and_those_of_a_dead_one_to_the_others(tmp_path: Path) -> None:
    with language_server(seconds=0.02) as (one, first), language_server(seconds=0.02) as (two, second):
        answers = ask(settings(first, second, "http://127.0.0.1:9/v1", concurrency=8), tmp_path / "log", range(100))
    assert all(isinstance(answer, Answer) for answer in answers)
    assert one.asked.total() + two.asked.total() == 100
    assert min(one.asked.total(), two.asked.total()) > 30
    assert max(one.most_in_flight, two.most_in_flight) <= 8


def test_what_the_server_will_not_take_is_refused_at_once_and_asked_again_by_the_next_run(tmp_path: Path) -> None:
    with language_server() as (_, url), faulty_model(url, lambda n: "400" if n == 0 else None) as (proxy, address):
        (found,) = ask(settings(address), tmp_path / "log", range(1))
        assert isinstance(found, Unanswered)
        assert "status 400: made for a test" in str(found)
        assert proxy.requests == 1
        assert not found.left.is_settled  # the server has answered nobody
        (found,) = ask(settings(address), tmp_path / "log", range(1))
        assert isinstance(found, Answer)  # which the log of an earlier version, too, would not have asked for
        assert proxy.requests == 2


def test_a_refusal_is_for_good_when_its_server_answers_others_after_it(tmp_path: Path) -> None:
    with language_server() as (_, url), faulty_model(url, lambda n: "400" if n in (3, 9) else None) as (_, address):
        found = ask(settings(address, concurrency=1), tmp_path / "log", range(10))
    assert [each.left.is_settled for each in found if isinstance(each, Unanswered)] == [True, False]


@pytest.mark.parametrize(
    ("write", "error", "says"),
    [
        ({"error": {"message": "max_tokens is 9, max_model_len 8", "code": 400}}, UserError, "max_model_len 8"),
        (("", "abort"), OperationError, "ended by abort"),
        (("<think>\nhm", "length"), OperationError, "only reasoning"),
        ({"choices": None}, OperationError, "no choices"),
    ],
)
def test_a_server_that_answers_nobody_stops_everything_early(
    tmp_path: Path, write: Any, error: type[Exception], says: str
) -> None:
    """And writes off nothing: set right, it is asked for all."""
    with language_server(lambda _: write) as (model, url):
        found = ask(settings(url, attempts=1), tmp_path / "log", range(200))
        stopped = [each for each in found if not isinstance(each, Unanswered)]
        assert {type(each) for each in stopped} == {error}
        assert says in str(stopped[0])
        assert "16 requests one after the other, all so far" in str(stopped[0])
    with language_server() as (model, url):
        assert all(isinstance(each, Answer) for each in ask(settings(url), tmp_path / "log", range(200)))
        assert model.asked.total() == 200


def test_a_server_that_was_changed_for_the_worse_stops_everything(tmp_path: Path) -> None:
    with language_server() as (_, url), faulty_model(url, lambda n: "400" if n > 50 else None) as (_, address):
        found = ask(settings(address, concurrency=4), tmp_path / "log", range(200))
    assert sum(isinstance(each, Answer) for each in found) == 51
    assert not any(each.left.is_settled for each in found if isinstance(each, Unanswered))
    assert any("64 requests one after the other, after others" in str(each) for each in found)


def test_what_an_earlier_version_kept_of_no_answer_is_asked_again_and_paid_tokens_are_counted(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 40}
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": None, "reasoning_content": "hm"}}
    log = AnswerLog(tmp_path / "log")
    log.note({"key": request(0).key, "answer": {"choices": [choice], "usage": usage}, "server": "old"})
    log.note({"key": request(1).key, "refused": "garbage no chat completion (KeyError: 'choices')"})
    log.close()
    with language_server(lambda _: {"choices": [choice], "usage": usage}) as (model, url):
        found = ask(settings(url), tmp_path / "log", range(2))
        assert [str(each) for each in found] == ["only reasoning: no answer follows it"] * 2
        assert model.asked.total() == 2  # another try would say the same
    assert AnswerLog(tmp_path / "log").usage == {"prompt_tokens": 9, "completion_tokens": 120}
    with language_server() as (model, url):
        assert all(isinstance(each, Answer) for each in ask(settings(url), tmp_path / "log", range(2)))


def test_a_request_that_always_fails_is_given_up(tmp_path: Path) -> None:
    with language_server() as (_, url), faulty_model(url, lambda _: "500") as (proxy, address):
        (found,) = ask(settings(address, attempts=2), tmp_path / "log", range(1))
        assert isinstance(found, Refused)
        assert proxy.requests == 2


def test_a_wrong_key_stops_everything_and_is_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_FOR_TESTS", "sk-secret-of-a-test")
    with language_server() as (model, url):
        with faulty_model(url, lambda _: "401") as (_, address):
            (found,) = ask(settings(address), tmp_path / "log", range(1))
        assert isinstance(found, UserError)
        assert "the API key is wrong" in str(found)
        assert "sk-secret" not in str(found)
        ask(settings(url), tmp_path / "log", range(1))
        assert model.keys == Counter({"bearer sk-secret-of-a-test": 1})  # it was sent, though
    assert "sk-secret" not in (tmp_path / "log").read_text()


def test_an_answer_that_has_the_key_in_it_stays_as_it_is(tmp_path: Path) -> None:
    """vLLM's users set EMPTY as a key; no code that says so may change."""
    with language_server(lambda _: "EMPTY = 'sk-secret-of-a-test'") as (_, url):
        for _ in range(2):  # from the server, and from the log
            (answer,) = ask(settings(url), tmp_path / "log", range(1))
            assert isinstance(answer, Answer)
            assert answer.text == "EMPTY = 'sk-secret-of-a-test'"


def test_an_answer_that_no_file_could_hold_is_garbage(tmp_path: Path) -> None:
    """Half a surrogate pair, which JSON can have and UTF-8 cannot."""
    with language_server(lambda _: "\ud83d") as (_, url):
        (found,) = ask(settings(url, attempts=1), tmp_path / "log", range(1))
    assert isinstance(found, Refused)
    assert "garbage" in str(found)


def test_draws_are_cut_by_nothing_that_was_not_asked_for_unless_the_server_refuses_to_be_told(tmp_path: Path) -> None:
    with language_server() as (model, url):
        ask(settings(url), tmp_path / "told", range(4))
        sent = [json.loads(body) for body in model.asked]
        assert [(each["top_k"], each["min_p"], each["repetition_penalty"]) for each in sent] == [(-1, 0.0, 1.0)] * 4
        model.refuses = ("samplers", "min_p")
        assert all(isinstance(each, Answer) for each in ask(settings(url), tmp_path / "refused", range(4)))
        last = json.loads(list(model.asked)[-1])
        assert last["top_k"] == -1
        assert not {"samplers", "min_p"} & last.keys()
    log = AnswerLog(tmp_path / "refused")
    assert log.counts["left to the server: min_p"] == log.counts["left to the server: samplers"] == 4
    assert log.counts["refused"] == log.counts["left to the server: top_k"] == 0
    log.close()
    # Told or not, it is the same request: an answer that is paid for stays.
    assert log.answers.keys() == {request(number).key for number in range(4)}


def test_a_server_that_wants_to_be_left_alone_for_days_is_not(tmp_path: Path) -> None:
    server = Server("http://host/v1", "none", 4)
    server.failed(time.monotonic(), 86400.0)
    assert server.rests_until < time.monotonic() + 61


def test_a_password_in_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="password"):
        ask(settings("http://me:secret@host/v1"), tmp_path / "log", range(1))


def test_no_server_for_too_long_ends_the_stage(tmp_path: Path) -> None:
    (found,) = ask(settings("http://127.0.0.1:9/v1", patience_minutes=0.02), tmp_path / "log", range(1))
    assert isinstance(found, OperationError)
    assert "no connection" in str(found)


def test_a_torn_end_is_dropped_and_damage_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with language_server() as (model, url):
        answers = ask(settings(url), path, range(5))
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])  # half of the last answer
        assert ask(settings(url), path, range(5)) == answers
        assert model.asked.total() == 6
        assert ask(settings(url), path, range(5)) == answers  # what was appended then is whole
        assert model.asked.total() == 6
    lines = whole.splitlines(keepends=True)
    records = [orjson.loads(line[17:]) for line in lines]
    assert sum("answer" in record for record in records) == sum("ask" in record for record in records) == 5
    place = len(lines[0]) + 30
    path.write_bytes(whole[:place] + b"#" + whole[place + 1 :])
    with pytest.raises(OperationError, match=f"damaged at byte {len(lines[0])}"):
        AnswerLog(path)

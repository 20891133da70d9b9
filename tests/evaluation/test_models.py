"""What a model writes does not depend on the batch, and a server over a real socket is asked rightly."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from snowcoder.config.compose import load_config
from snowcoder.config.evaluation_schema import GenerationConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.evaluation.completions import Completion, CompletionRequest, Completions
from snowcoder.evaluation.generate import models_of
from snowcoder.evaluation.infilling import single_lines
from snowcoder.evaluation.local_model import LocalModel
from snowcoder.evaluation.server_model import ServerModel
from snowcoder.evaluation.tasks import Task


def settings(**changes: Any) -> GenerationConfig:
    values = {
        "backend": "transformers",
        "server": None,
        "batch": 4,
        "samples": 1,
        "temperature": 0.0,
        "top_p": 1.0,
        "new_tokens": None,
        "dtype": "fp32",
    }
    return GenerationConfig(**{**values, **changes})


def written(folder: Path, tasks: list[Task], samples: int = 1, seed: int = 0, **changes: Any) -> dict[Any, str]:
    model = LocalModel(folder, settings(**changes), seed)
    requests = [CompletionRequest(task, sample) for task in tasks for sample in range(samples)]
    found: list[Completion] = [each for batch in model.complete(requests, 24) for each in batch]
    assert len(found) == len(requests)
    return {(each.task, each.sample): each.text for each in found}


@pytest.mark.parametrize(("samples", "changes"), [(1, {}), (3, {"temperature": 0.8, "top_p": 0.9})])
def test_completions_are_the_same_at_any_batch_size(
    small_model: Path, humaneval: list[Task], samples: int, changes: dict[str, Any]
) -> None:
    """Prompts of very different lengths, of which some do not fit."""
    alone, few, all_at_once = (written(small_model, humaneval[:6], samples, **changes, batch=b) for b in (1, 4, 32))
    assert alone == few == all_at_once
    assert len(set(alone.values())) > 4


def test_samples_differ_and_follow_the_seed(small_model: Path, humaneval: list[Task]) -> None:
    first = written(small_model, humaneval[:2], 4, temperature=0.8)
    assert len(set(first.values())) == 8
    assert written(small_model, humaneval[:2], 4, temperature=0.8) == first
    assert written(small_model, humaneval[:2], 4, seed=1, temperature=0.8) != first


def test_draws_follow_the_models_probabilities(small_model: Path) -> None:
    """Frequencies of the likeliest first text over 600 samples, and its probability."""
    task = Task("t", "def f", "", {})
    model = LocalModel(small_model, settings(temperature=0.7, batch=200), 0)
    with torch.no_grad():
        expected = torch.softmax(model.model(torch.tensor([model.encode(task, 1)])).logits[0, -1] / 0.7, 0)
    likely: Counter[str] = Counter()
    for number, share in enumerate(expected.tolist()):  # several ids are the same text: parts of characters
        likely[model.tokenizer.decode([number], skip_special_tokens=True)] += share
    ((text, share),) = likely.most_common(1)
    batches = list(model.complete([CompletionRequest(task, sample) for sample in range(600)], 1))
    assert sum(each.text == text for batch in batches for each in batch) / 600 == pytest.approx(share, abs=0.06)


def test_a_completion_ends_with_its_stop(small_model: Path, humaneval: list[Task]) -> None:
    (plain,) = written(small_model, humaneval[:1]).values()
    stop = plain[2:4]
    stopped = Task(humaneval[0].name, humaneval[0].prompt, "", {}, stops=(stop,))
    (text,) = written(small_model, [stopped]).values()
    assert text == plain[: len(text)]
    assert len(text) < len(plain)
    assert stop in text


def test_an_infilling_prompt_has_the_suffix_before_the_middle(small_model: Path, humaneval: list[Task]) -> None:
    model = LocalModel(small_model, settings(), 0)
    assert model.can_infill
    task = Task("t", "def f():\n", "", {}, suffix="\n    return x")
    text = model.tokenizer.decode(model.encode(task, 16))
    assert text == "<|fim_prefix|>def f():\n<|fim_suffix|>\n    return x<|fim_middle|>"
    for long in single_lines(humaneval[:3]):
        assert len(model.encode(long, 16)) <= 192 - 16


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a model that transformers can load"):
        LocalModel(tmp_path, settings(), 0)


def test_all_damaged_folders_are_named_before_anything_is_scored(small_model: Path, tmp_path: Path) -> None:
    for name in ("cut", "pointer", "good"):
        shutil.copytree(small_model, tmp_path / name)
    (tmp_path / "cut" / "model.safetensors").write_bytes(b"")
    (tmp_path / "pointer" / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\n")
    words = [f"+evaluation.models.{name}={tmp_path / name}" for name in ("cut", "pointer", "good", "nowhere")]
    with pytest.raises(UserError) as found:
        models_of(load_config(words))
    lines = str(found.value).splitlines()[1:-1]
    assert [line.split(":")[0].strip() for line in lines] == ["cut", "pointer", "nowhere"]
    assert "model.safetensors is empty" in lines[0]
    assert "tokenizer.json is a git-lfs pointer" in lines[1]


class Handler(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[dict[str, Any]]] = []
    fail_first = 0
    instead: ClassVar[Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None]]
    listed: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        self.say(200, self.listed)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append({"path": self.path, **body})
        if len(self.asked) <= self.fail_first:
            self.send_error(503)
            return
        if instead := type(self).instead(body):
            self.say(*instead)
            return
        text = f"\n    return {len(body['prompt'])}\n"
        answer = {"id": "1", "object": "text_completion", "created": 0, "model": body["model"]}
        answer |= {"choices": [{"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}]}
        answer |= {"usage": {"prompt_tokens": 1, "completion_tokens": 7, "total_tokens": 8}}
        self.say(200, answer)

    def say(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked, Handler.fail_first, Handler.instead, Handler.listed = [], 0, lambda _: None, {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/v1"
        running.shutdown()


def test_a_server_is_asked_for_each_completion(server: str, humaneval: list[Task]) -> None:
    Handler.fail_first = 1  # which the client tries again
    config = settings(backend="server", server=server, temperature=0.5, top_p=0.9)
    requests = [CompletionRequest(task, sample) for task in humaneval[:3] for sample in range(2)]
    found = [each for batch in ServerModel("a/model", config, 7).complete(requests, 99) for each in batch]
    texts = {(each.task, each.sample): each.text for each in found}  # in whatever order they come
    assert texts == {request.key: f"\n    return {len(request.task.prompt)}\n" for request in requests}
    assert len(found) == 6
    asked = Handler.asked[-1]
    assert (asked["path"], asked["model"], asked["max_tokens"]) == ("/v1/completions", "a/model", 99)
    assert (asked["temperature"], asked["top_p"]) == (0.5, 0.9)
    assert "\ndef " in asked["stop"]
    assert len({each["seed"] for each in Handler.asked}) == 6  # another for each, the same again


def test_what_is_no_completion_is_asked_again_and_loses_no_other(
    server: str, humaneval: list[Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("snowcoder.evaluation.server_model.time.sleep", lambda _: None)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    model, wanted = (
        ServerModel("m", settings(backend="server", server=server), 0),
        [CompletionRequest(t, 0) for t in humaneval[:5]],
    )
    store = Completions(tmp_path / "completions.jsonl", {})

    def aborted(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        choice = {"index": 0, "text": "    ret", "finish_reason": "abort"}
        return (200, {"choices": [choice]}) if body["prompt"] == humaneval[2].prompt else None

    Handler.instead = aborted
    with pytest.raises(OperationError, match=r"does not complete HumanEval/2: ended by abort\. What was"):
        store.add(each for batch in model.complete(store.missing(wanted), 9) for each in batch)
    assert len(Handler.asked) == 4 + 6  # a bounded number of times
    Handler.instead = lambda _: None
    assert [batch[0].task for batch in model.complete(store.missing(wanted), 9)] == ["HumanEval/2"]

    Handler.asked, Handler.instead = [], lambda _: (401, {"error": {"message": "Incorrect API key: sk-secret"}})
    with pytest.raises(OperationError, match=r"the API key is wrong .* Incorrect API key: \[API key\]"):
        list(model.complete(wanted, 9))
    assert len(Handler.asked) <= 5  # once each, if that


def test_a_server_that_limits_its_rate_is_waited_for_as_long_as_it_answers_others(
    server: str, humaneval: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowcoder.evaluation.server_model.time.sleep", lambda _: None)
    busy = 429, {"error": {"message": "slow down"}}
    Handler.instead = lambda _: busy if len(Handler.asked) % 40 else None
    config = settings(backend="server", server=server, batch=4)
    model, (first, *others) = ServerModel("m", config, 0), [CompletionRequest(task, 0) for task in humaneval[:5]]
    with pytest.raises(OperationError, match="too many requests: slow down"):  # it has answered nobody
        list(model.complete([first], 9))
    Handler.asked = [{}] * 39
    assert sum(len(batch) for batch in model.complete([first], 9)) == 1
    assert sum(len(batch) for batch in model.complete(others, 9)) == 4


def test_what_was_under_way_when_a_server_is_given_up_is_kept(server: str, humaneval: list[Task]) -> None:
    prompts, refused = {task.prompt: n for n, task in enumerate(humaneval)}, threading.Semaphore(0)

    def refuse(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        if prompts[body["prompt"]] == 0:
            assert all(refused.acquire(timeout=10) for _ in range(3))  # comes after all that is refused
            return None
        refused.release()
        return 400, {"error": {"message": "no"}}

    Handler.instead = refuse
    kept, wanted = list[str](), [CompletionRequest(task, 0) for task in humaneval[:50]]
    config = settings(backend="server", server=server, batch=2)
    with pytest.raises(OperationError, match=r"HumanEval/\d+: status 400: no \(nor"):
        kept.extend(batch[0].task for batch in ServerModel("m", config, 0).complete(wanted, 9))
    assert kept == ["HumanEval/0"]
    assert len(Handler.asked) < 10


@pytest.mark.parametrize("tells", ["its prompt's tokens", "both together", "the model's alone", "nothing"])
def test_a_prompt_too_long_for_the_server_is_cut_by_the_local_models_rule(server: str, tells: str) -> None:
    """Four characters a token, a context of 200, 64 of them wanted: 50 are left for an answer, if need be."""

    def refuse(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        prompt, asked = len(body["prompt"]) // 4, body["max_tokens"]
        if prompt + asked <= 200:
            return None
        context = "This model's maximum context length is 200 tokens."
        message = {
            "its prompt's tokens": f"{context} However, you requested {prompt + asked} tokens ({prompt} in the prompt)",
            "both together": f"{context} However, you requested {prompt + asked} tokens",
            "the model's alone": context,
            "nothing": "the prompt is too long",
        }[tells]
        return 400, {"error": {"message": message, "code": 400}}

    Handler.instead = refuse
    model = ServerModel("m", settings(backend="server", server=server), 0)
    tasks = [Task(str(size), "".join(f"{n:4}" for n in range(size)), "", {}) for size in (100, 140, 150, 900)]

    def asked() -> list[tuple[str, int]]:
        Handler.asked = []
        for task in tasks:
            assert len(list(model.complete([CompletionRequest(task, 0)], 64))) == 1
        taken = [body for body in Handler.asked if refuse(body) is None]
        assert all(task.prompt.endswith(body["prompt"]) for task, body in zip(tasks, taken, strict=True))
        return [(len(body["prompt"]) // 4, body["max_tokens"]) for body in taken]

    if tells == "nothing":
        with pytest.raises(OperationError, match="does not complete 140: status 400: the prompt is too long"):
            asked()
        Handler.listed = {"data": [{"id": "other", "max_model_len": 9}, {"id": "m", "max_model_len": 200}]}
    if tells in ("its prompt's tokens", "both together"):
        assert asked() == [(100, 64), (140, 60), (150, 50), (150, 50)]
    else:
        short, less, fits, (kept, room) = asked()
        assert (short, less, fits, room) == ((100, 64), (140, 50), (150, 50), 50)
        assert 110 < kept <= 150


def test_a_server_that_is_not_there_is_named(humaneval: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowcoder.evaluation.server_model._RETRIES", 0)
    config = settings(backend="server", server="http://127.0.0.1:9/v1")
    with pytest.raises(OperationError, match=r"http://127.0.0.1:9/v1 does not complete HumanEval/0"):
        list(ServerModel("m", config, 0).complete([CompletionRequest(humaneval[0], 0)], 9))

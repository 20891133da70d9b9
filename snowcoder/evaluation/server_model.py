"""Completions by an OpenAI-compatible server: vLLM (`vllm serve FOLDER`), llama.cpp and others.

They are as invariant to the batch as the server is; vLLM is not, unless it runs with VLLM_BATCH_INVARIANT=1.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

import openai
import xxhash

from snowcoder.answers import Answer, NoAnswer, classify, read_completion
from snowcoder.answers.read import read_json
from snowcoder.config.evaluation_schema import GenerationConfig
from snowcoder.errors import OperationError
from snowcoder.evaluation.completions import Completion, CompletionRequest
from snowcoder.evaluation.context import length_of, shortened

_RETRIES = 5  # where another try may help
_LONGEST = 60.0  # seconds before one, whatever the server asks for; one that answered others since is only busy
_CUTS = 20  # of one prompt, until the server takes it
_MOST_STOPS = 4  # that the protocol allows; cut.py cuts by all of them


class ServerModel:
    can_infill = False  # the protocol's `suffix` is understood by few servers

    def __init__(self, name: str, config: GenerationConfig, seed: int) -> None:
        self.name, self.config, self.seed = name, config, seed
        assert config.server
        self.key = os.environ.get("OPENAI_API_KEY")
        key = self.key or "none"
        self.client = openai.OpenAI(base_url=config.server, api_key=key, max_retries=0, timeout=600)
        self._answered_at = float("-inf")  # time.monotonic(), whichever request it was

    def complete(self, requests: list[CompletionRequest], new_tokens: int) -> Iterator[list[Completion]]:
        """As they come. What fails is raised at the end, so that a second run asks for it alone.

        Where as many fail as go at once, it is the server, and the others are not asked for.
        """
        failed: list[tuple[str, NoAnswer]] = []
        with ThreadPoolExecutor(self.config.batch) as pool:
            asked = {pool.submit(self._complete, request, new_tokens): request for request in requests}
            try:
                for done in as_completed(asked):
                    if done.cancelled():
                        continue
                    try:
                        yield [done.result()]
                    except NoAnswer as error:
                        failed.append((asked[done].task.name, error))
                        if len(failed) >= self.config.batch or error.failure.blame == "stage":
                            _cancel(asked)  # what is under way is waited for: it has its price
            finally:
                _cancel(asked)  # after Ctrl-C, too
        if failed:
            raise self._error(failed)

    def _complete(self, request: CompletionRequest, new_tokens: int) -> Completion:
        """Raises NoAnswer."""
        started = time.monotonic()
        seed = xxhash.xxh3_64_intdigest(f"{self.seed}/{request.task.name}/{request.sample}".encode()) >> 33
        body = {
            "model": self.name,
            "temperature": self.config.temperature,
            "top_p": self.config.top_p if self.config.temperature else 1.0,
            "stop": list(request.task.stops[:_MOST_STOPS]),
            "seed": seed,
        }
        answer = self._ask_for_less(body, request.task.prompt, new_tokens)
        seconds = round(time.monotonic() - started, 3)
        return Completion(*request.key, request.prompt, answer.text, answer.completion_tokens, seconds)

    def _ask_for_less(self, body: dict[str, Any], prompt: str, new_tokens: int) -> Answer:
        """What the server's context has no room for is cut, as LocalModel does."""
        asked = new_tokens
        for _ in range(_CUTS):
            try:
                return self._ask({**body, "prompt": prompt, "max_tokens": asked})
            except NoAnswer as error:
                length = length_of(error.failure.detail, asked) if error.failure.blame == "refused" else None
                longest = length and (length.longest or self._context())
                if not length or not longest:
                    raise
                refused = error
            prompt, asked = shortened(prompt, asked, new_tokens, longest, length.prompt)
        raise refused

    def _ask(self, body: dict[str, Any]) -> Answer:
        """Raises NoAnswer after a bounded number of tries; a server that only limits its rate may take more."""
        tries = 0
        while True:
            try:
                answer = read_completion(read_json(self.client.post("/completions", body=body, cast_to=bytes)))
                self._answered_at = time.monotonic()
                return answer
            except (openai.OpenAIError, NoAnswer) as error:
                failure = classify(error)
            tries += 1
            is_busy = failure.blame == "server" and time.monotonic() - self._answered_at < _LONGEST
            if failure.blame in ("refused", "stage") or (tries > _RETRIES and not is_busy):
                raise NoAnswer(failure)
            time.sleep(min(_LONGEST, failure.wait or 0.25 * 2 ** min(tries - 1, _RETRIES)))

    def _context(self) -> int | None:
        """Tokens of the model's context, as vLLM and others list it."""
        try:
            listed = read_json(self.client.get("/models", cast_to=bytes))
            found = [each.get("max_model_len") for each in listed["data"] if each.get("id") == self.name]
        except (openai.OpenAIError, NoAnswer, KeyError, TypeError, AttributeError):
            return None
        return found[0] if found and isinstance(found[0], int) else None

    def _error(self, failed: list[tuple[str, NoAnswer]]) -> OperationError:
        (task, error), *others = failed
        what = f"{self.config.server} does not complete {task}: {error}"
        if self.key:
            what = what.replace(self.key, "[API key]")
        if others:
            what += f" (nor {len(others)} more: {', '.join(name for name, _ in others[:5])})"
        return OperationError(f"{what}. What was completed stays; the same command asks for the rest")


def _cancel(asked: Iterable[Future[Completion]]) -> None:
    """Not by the pool's shutdown, after which as_completed would wait for them for ever."""
    for each in asked:
        each.cancel()

"""Completions by an OpenAI-compatible server: vLLM (`vllm serve FOLDER`), llama.cpp and others.

They are as invariant to the batch as the server is; vLLM is not, unless it runs with VLLM_BATCH_INVARIANT=1.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import openai
import xxhash

from snowcoder.config.evaluation_schema import GenerationConfig
from snowcoder.errors import OperationError
from snowcoder.evaluation.completions import Completion, Request

_RETRIES = 5
_MOST_STOPS = 4  # that the protocol allows; cut.py cuts by all of them


class ServerModel:
    can_infill = False  # the protocol's `suffix` is understood by few servers

    def __init__(self, name: str, config: GenerationConfig, seed: int) -> None:
        self.name, self.config, self.seed = name, config, seed
        assert config.server
        key = os.environ.get("OPENAI_API_KEY", "none")
        self.client = openai.OpenAI(base_url=config.server, api_key=key, max_retries=_RETRIES, timeout=600)

    def complete(self, requests: list[Request], new_tokens: int) -> Iterator[list[Completion]]:
        """As they come. One that fails is raised at the end, so that a second run asks for it alone.

        Where as many fail as go at once, it is the server, and the others are not asked for.
        """
        failed: list[OperationError] = []
        with ThreadPoolExecutor(self.config.batch) as pool:
            for done in as_completed([pool.submit(self._complete, request, new_tokens) for request in requests]):
                try:
                    yield [done.result()]
                except OperationError as error:
                    failed.append(error)
                    if len(failed) == self.config.batch:
                        pool.shutdown(cancel_futures=True)
                        break
        if failed:
            raise failed[0]

    def _complete(self, request: Request, new_tokens: int) -> Completion:
        started = time.monotonic()
        stops = list(request.task.stops[:_MOST_STOPS])
        seed = xxhash.xxh3_64_intdigest(f"{self.seed}/{request.task.name}/{request.sample}".encode()) >> 33
        try:
            answer = self.client.completions.create(
                model=self.name,
                prompt=request.task.prompt,
                max_tokens=new_tokens,
                temperature=self.config.temperature,
                top_p=self.config.top_p if self.config.temperature else 1.0,
                stop=stops,
                seed=seed,
            )
        except openai.OpenAIError as error:
            raise OperationError(f"{self.config.server} does not complete {request.task.name}: {error}") from None
        tokens = answer.usage.completion_tokens if answer.usage else 0
        return Completion(
            *request.key, request.prompt, answer.choices[0].text, tokens, round(time.monotonic() - started, 3)
        )

"""A recipe as requests: from a seed through its steps to samples, or to the reasons why there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from snowcoder.answers import Answer
from snowcoder.config.schema import Config
from snowcoder.config.synthesis_schema import StepConfig
from snowcoder.permutation import key_of
from snowcoder.storage.digest import digest_json
from snowcoder.synthesis.blocks import closed
from snowcoder.synthesis.draws import choose, take
from snowcoder.synthesis.parse import Fields, parse
from snowcoder.synthesis.prompts import Prompt, read_examples
from snowcoder.synthesis.requests import Refused, Request

Ask = Callable[[Request], Awaitable[Answer]]
_SEEDS = 31  # bits of a request's seed that every server takes


class SampleOutcome(NamedTuple):
    """What became of one way through the steps."""

    id: str
    step: str  # the last one that was taken
    reason: str | None  # why it went no further; null: it came to the end
    fields: Fields


class Recipe:
    def __init__(self, config: Config) -> None:
        """Raises UserError where a prompt or the examples cannot be read."""
        synthesis = config.synthesis
        self.name, self.model, self.seed = synthesis.name, synthesis.model, config.run.seed
        self.steps = [_Step(name, step, Prompt(step.prompt)) for name, step in synthesis.steps.items()]
        self.examples = read_examples(synthesis.examples) if synthesis.examples else []
        # What decides the requests, given the seeds.
        steps = [[step.name, step.config.model_dump(), step.prompt.digest] for step in self.steps]
        self.digest = digest_json([self.name, self.model, self.seed, steps, self.examples])

    async def follow(self, seed: str, fields: Fields, ask: Ask) -> list[SampleOutcome]:
        """All that comes of a seed, in an order that does not depend on when answers came."""
        return await self._from(0, seed, fields, ask)

    async def _from(self, number: int, sample: str, fields: Fields, ask: Ask) -> list[SampleOutcome]:
        step = self.steps[number]
        fields = fields | {name: choose(each, self.seed, sample, step.name, name) for name, each in step.draws.items()}
        count = step.config.samples
        names = [f"{sample}/{n}" for n in range(count)] if count > 1 else [sample]
        found = await asyncio.gather(*(self._take(number, name, sample, fields, ask) for name in names))
        return [outcome for each in found for outcome in each]

    async def _take(self, number: int, name: str, asked_as: str, fields: Fields, ask: Ask) -> list[SampleOutcome]:
        """One answer and all that follows from it. Answers to one prompt differ by the request's seed."""
        step = self.steps[number]
        try:
            answer = await ask(self._request(step, name, asked_as, fields))
            if answer.finish != "stop":
                raise Refused("not finished")
            new = parse(closed(answer.text, step.config.stop), step.config.parse, fields)
        except Refused as refusal:
            return [SampleOutcome(name, step.name, refusal.reason, fields)]
        names = [f"{name}.{n}" for n in range(len(new))] if step.config.parse.kind == "items" else [name]
        samples = [(name, fields | each) for name, each in zip(names, new, strict=True)]
        if number + 1 == len(self.steps):
            return [SampleOutcome(name, step.name, None, each) for name, each in samples]
        found = await asyncio.gather(*(self._from(number + 1, name, each, ask) for name, each in samples))
        return [outcome for each in found for outcome in each]

    def _request(self, step: _Step, name: str, asked_as: str, fields: Fields) -> Request:
        config = step.config
        shots = take(self.examples, config.shots, self.seed, asked_as, step.name, "shots")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": step.prompt.messages({**fields, "examples": shots}),
            "temperature": config.temperature,
            "top_p": config.top_p,
            "max_tokens": config.max_tokens,
            "seed": key_of(self.seed, self.name, step.name, name) >> (64 - _SEEDS),
        }
        return Request.of(body | {"stop": config.stop} if config.stop else body)


class _Step(NamedTuple):
    name: str
    config: StepConfig
    prompt: Prompt

    @property
    def draws(self) -> dict[str, list[str]]:
        return self.config.draws

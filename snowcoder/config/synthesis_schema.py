"""The section of conf/ for synthetic data, see `schema.py`. A recipe is one file of conf/synthesis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.section import Count, Natural, Positive, Section, Share

Price = Annotated[float, Field(ge=0.0)]


class RequestsConfig(Section):
    """How servers are asked. None of it decides what is asked."""

    servers: list[str]  # URLs up to /v1
    servers_file: str | None  # more of them, one a line, as slurm/serve_vllm.sh writes it
    key: str  # the environment's variable that holds the API key; it may be unset
    concurrency: Annotated[int, Field(ge=1, le=1000)]  # requests under way at one server, at most
    deadline_seconds: Positive  # of one request to one server
    attempts: Count  # of one request, where the request may be what fails
    patience_minutes: Positive  # without any answer, before the stage gives up
    refused_again: bool  # ask again what a server refused in an earlier run, while it answered others
    input_price: Price  # for a million tokens, in any currency
    output_price: Price


class SeedsConfig(Section):
    """What a recipe starts from, and how much of it."""

    # lines: some lines of a file; function: a documented Python function; chat: instructions of another recipe;
    # none: numbers alone
    cut: Literal["lines", "function", "chat", "none"]
    source: str | None  # of index.sources, where files are cut from
    chat: list[str]  # chat.jsonl of other recipes
    count: Count
    lines: tuple[Count, Count]  # of a cut, from and to
    characters: Count  # of a cut, at most
    per_file: Count  # cuts of one file, at most
    shares: dict[str, Share]  # language -> part of the seeds; "others": those not named, as they stand to each other
    part: Count  # seeds that are one task


class ParseConfig(Section):
    """What a step reads from an answer: fields with these names, or a reason why not."""

    # code: its one block of code; sections: [Title] and what follows; tags: <name>...</name>; items: a numbered list,
    # each item a sample of its own; text: all of it
    kind: Literal["code", "sections", "tags", "items", "text"]
    names: list[str]  # as the answer spells them; the field is their last word in lower case


class StepConfig(Section):
    prompt: str  # a file of conf/synthesis/prompts, without its suffix
    shots: Natural = 0  # examples shown, drawn from the recipe's
    draws: dict[str, list[str]] = Field(default_factory=dict)  # field -> values, one of which is drawn
    samples: Count = 1  # answers to the same prompt
    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    top_p: Share = 1.0
    max_tokens: Count
    stop: list[str] = Field(default_factory=list)
    parse: ParseConfig


class ChatConfig(Section):
    """A conversation, as Jinja templates over the fields of a sample."""

    system: str | None = None
    instruction: str
    response: str


class SynthesisConfig(Section):
    name: str
    dir: str
    model: str
    requests: RequestsConfig
    seeds: SeedsConfig
    examples: str | None  # few-shot examples: a file of conf/synthesis/examples, without its suffix
    steps: dict[str, StepConfig]  # in their order; each may use the fields of those before it
    chat: ChatConfig | None  # null: the samples are files of code
    python: str | None  # where shards of files go: those in Python, and the others
    other: str | None
    syntax: bool  # code that does not parse is dropped
    execute: bool  # a response whose tests do not pass is dropped; of several to one instruction one is kept

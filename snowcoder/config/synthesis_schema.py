"""The section of conf/ for synthetic data, see `schema.py`. A recipe is one file of conf/synthesis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.section import Count, Natural, Positive, Section, Share

Price = Annotated[float, Field(ge=0.0)]


class RequestsConfig(Section):
    """None of it decides what is asked."""

    servers: list[str]
    """Addresses of OpenAI-compatible servers up to /v1."""

    servers_file: str | None
    """File with more of them, one a line, as slurm/serve_vllm.sh writes it."""

    key: str
    """The environment's variable that holds the API key; it may be unset."""

    concurrency: Annotated[int, Field(ge=1, le=1000)]
    """Requests under way at one server, at most. vLLM runs 256 sequences at once."""

    deadline_seconds: Positive
    """Seconds for one request to one server."""

    attempts: Count
    """Tries of one request, where the request may be what fails. A server's own failures do not count."""

    patience_minutes: Positive
    """Minutes without any answer from any server, before the stage gives up."""

    refused_again: bool
    """Ask again what a server refused in an earlier run while it answered others, after it was given a larger context,
    say."""

    input_price: Price
    """Price of a million tokens of prompts, in any currency, for the costs in the report."""

    output_price: Price
    """Price of a million tokens of answers, in the same currency."""


class SeedsConfig(Section):
    cut: Literal["lines", "function", "chat", "none"]
    """lines: some lines of a file. function: a documented Python function. chat: instructions of another recipe.
    none: numbers alone."""

    source: str | None
    """The source of `index.sources` whose files are cut; null where `cut` is chat or none."""

    chat: list[str]
    """`chat.jsonl` of other recipes, where `cut` is chat."""

    count: Count
    """Seeds, at most."""

    lines: tuple[Count, Count]
    """Lines of a cut, from and to. Magicoder has 1 to 15."""

    characters: Count
    """Characters of a cut, at most."""

    per_file: Count
    """Cuts of one file, at most."""

    shares: dict[str, Share]
    """Language -> share of the seeds; `others`: those not named, as they stand to each other."""

    part: Count
    """Seeds that are one work item: what is finished of an item is not done again."""


class ParseConfig(Section):
    """Fields with these names, or a reason why there are none."""

    kind: Literal["code", "sections", "tags", "items", "text"]
    """code: the answer's one block of code. sections: [Title] and what follows. tags: <name>...</name>. items: a
    numbered list, each item a sample of its own. text: all of it."""

    names: list[str]
    """Names as the answer spells them; the field is their last word in lower case."""


class StepConfig(Section):
    """One question to the model, for each sample."""

    prompt: str
    """A file of conf/synthesis/prompts, without its suffix."""

    shots: Natural = 0
    """Examples shown in the prompt, drawn from the recipe's `examples`."""

    draws: dict[str, list[str]] = Field(default_factory=dict)
    """Field of the prompt -> values, one of which is drawn for each sample."""

    samples: Count = 1
    """Answers to the same prompt."""

    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    """Sampling temperature; 0: greedy."""

    top_p: Share = 1.0
    """Nucleus sampling: the share of the probability from which is drawn."""

    max_tokens: Count
    """Tokens of an answer, at most."""

    stop: list[str] = Field(default_factory=list)
    """Texts at which an answer ends."""

    parse: ParseConfig
    """What is read from the answer."""


class ChatConfig(Section):
    """Its parts are Jinja templates over the fields of a sample."""

    system: str | None = None
    """What the system says; null: nothing."""

    instruction: str
    """What the user says."""

    response: str
    """What the model is to answer."""


class SynthesisConfig(Section):
    """A recipe is a file of conf/synthesis."""

    name: str
    """The recipe's name, and that of its folder."""

    dir: str
    """Folder of its requests, answers, tables and `chat.jsonl`."""

    model: str
    """Name of the language model, as the servers know it. The paper's is Llama-3.1-70B-Instruct (section 2.4)."""

    requests: RequestsConfig
    """How servers are asked."""

    seeds: SeedsConfig
    """What samples start from, and how many there are."""

    examples: str | None
    """Few-shot examples: a file of conf/synthesis/examples, without its suffix."""

    steps: dict[str, StepConfig]
    """Questions in their order; each may use the fields that those before it have read."""

    chat: ChatConfig | None
    """The conversation that a sample becomes; null: samples are files of code."""

    python: str | None
    """Where shards of files in Python go."""

    other: str | None
    """Where shards of files in other languages go."""

    syntax: bool
    """Drop code that does not parse."""

    execute: bool
    """Drop a response whose tests do not pass in the sandbox; of several to one instruction one is kept."""

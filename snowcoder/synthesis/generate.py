"""The step that asks: all requests of a part's seeds, in one process, which keeps many servers busy.

What is done of a part that a killed process left lies in its log; what all of it came to is a table. A part is asked
for again, as far as it has no answers, until a server has refused them that answers others.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from snowcoder.answers import Answer
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, SnowcoderError
from snowcoder.lineage.rows import RowCounts
from snowcoder.progress import bar
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table
from snowcoder.synthesis.recipe import Recipe, SampleOutcome
from snowcoder.synthesis.requests import AnswerLog, Client, Left, Request, Unanswered, open_client
from snowcoder.synthesis.seeds import SCHEMA as SEED_SCHEMA
from snowcoder.synthesis.seeds import SEEDS, Seeds

OUTCOMES = ".outcomes.parquet"
SCHEMA = pa.schema(
    {
        **{name: SEED_SCHEMA.field(name).type for name in ("id", "language", "repository", "path", "score")},
        "seed": pa.string(),  # its id
        "step": pa.string(),
        "reason": pa.string(),  # null: the sample is whole
        "fields": pa.string(),  # JSON
    }
)
_PARTS = 2  # under way: the next one begins while the last answers of one come


def ask_models(config: Config, seeds: Seeds, before: Callable[[], None]) -> tuple[Path, list[Record]]:
    """Raises OperationError or UserError where no server answers; what was answered stays.

    `before`: called before answers of a part are written, which servers that never answer do not bring about.
    """
    step = AskModels(Path(config.synthesis.dir) / "answers", config, before)
    items = [
        step.work_item(record.name, record.digest, {"seeds": str(seeds.folder), "rows": record.rows.written})
        for record in seeds.records
    ]
    if todo := _to_ask(config, step, items):
        step.folder.mkdir(parents=True, exist_ok=True)
        try:
            asyncio.run(_ask_all(config, step, todo))
        except BaseExceptionGroup as group:
            raise _first(group) from None
    records = [record for item in items if (record := step.find(item))]
    _require_answers(config, records)
    return step.folder, records


def _to_ask(config: Config, step: AskModels, items: list[WorkItem]) -> list[WorkItem]:
    """The items that are not done, and those that some requests of have no answer, if there is a server to be asked."""
    requests = config.synthesis.requests
    records = [step.find(item) for item in items]
    unanswered = sum(_unanswered(config, record) for record in records if record)
    if all(records) and unanswered and not (requests.servers or requests.servers_file):
        print(
            f"synthesize: {unanswered:,} requests have no answer; with synthesis.requests.servers they are asked again"
        )
        return []
    return [item for item, record in zip(items, records, strict=True) if record is None or _unanswered(config, record)]


def _unanswered(config: Config, record: Record) -> int:
    """Requests that are to be asked again."""
    counts = record.counts["requests"]
    return int(counts["unanswered"] + (counts["refused"] if config.synthesis.requests.refused_again else 0))


def _require_answers(config: Config, records: list[Record]) -> None:
    """Raises OperationError where no request of all parts got one."""
    requests = [record.counts["requests"] for record in records]
    reasons = sum((Counter(each["reasons"]) for each in requests), Counter[str]())
    if reasons and not any(each["read"] for each in requests):
        said = {kind: text for each in requests for kind, text in each["said"].items()}
        told = "; ".join(f"{said[kind]} ({count:,} requests)" for kind, count in reasons.most_common())
        raise OperationError(
            f"no request of {config.synthesis.name} got an answer: {told}. The same command asks again; "
            f"each attempt is in {config.synthesis.dir}/log"
        )


class AskModels(Step):
    """Writes down what became of a part's seeds, once all of it is known."""

    def __init__(self, folder: Path, config: Config, before: Callable[[], None]) -> None:
        """Raises UserError where a prompt or the examples cannot be read."""
        super().__init__(folder)
        self.recipe, self.before = Recipe(config), before
        self.outcomes: dict[str, list[dict[str, Any]]] = {}
        self.counts: dict[str, dict[str, Any]] = {}

    def decided_by(self) -> dict[str, Any]:
        return {"recipe": self.recipe.digest}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        self.before()
        table = pa.Table.from_pylist(self.outcomes.pop(item.name), SCHEMA)
        rows = RowCounts(
            item.data["rows"], pc.count_distinct(table["seed"]).as_py()
        )  # each comes to one outcome or more
        pq.write_table(table, folder / f"{item.name}{OUTCOMES}", compression="zstd")
        return rows, self.counts.pop(item.name)


async def _ask_all(config: Config, step: AskModels, items: list[WorkItem]) -> None:
    requests = config.synthesis.requests
    async with open_client(requests) as client, asyncio.TaskGroup() as group:
        room = asyncio.Semaphore(2 * requests.concurrency * max(1, len(client.pool.servers)))
        parts = asyncio.Semaphore(_PARTS)
        with bar("ask", sum(item.data["rows"] for item in items), "seed") as progress:
            running = []
            for item in items:
                await parts.acquire()
                part = _Part(config, step, client, room, progress)
                running.append(group.create_task(part.run(item)))
                running[-1].add_done_callback(lambda _: parts.release())
            await asyncio.gather(*running)


class _Part:
    def __init__(
        self, config: Config, step: AskModels, client: Client, room: asyncio.Semaphore, progress: tqdm[Any]
    ) -> None:
        self.config, self.step = config, step
        self.client, self.room, self.progress = client, room, progress
        self.left: list[Left] = []
        self.read = Counter[bool]()  # answers, and whether reasoning was left out

    async def run(self, item: WorkItem) -> None:
        path = Path(self.config.synthesis.dir) / "log" / f"{item.name}.log"
        table = Table(Path(item.data["seeds"]) / f"{item.name}{SEEDS}", item.data["rows"])
        seeds = table.read(SEED_SCHEMA).to_pylist()
        log = AnswerLog(path, self.client.key)
        try:
            async with asyncio.TaskGroup() as group:
                following = []
                for seed in seeds:
                    await self.room.acquire()
                    following.append(group.create_task(self._follow(seed, log)))
            self.step.outcomes[item.name] = [row for each in following for row in each.result()]
            self.step.counts[item.name] = self._counts(self.step.outcomes[item.name], log)
        finally:
            log.close()
        await asyncio.to_thread(self.step, asdict(item))

    async def _follow(self, seed: dict[str, Any], log: AnswerLog) -> list[dict[str, Any]]:
        try:
            if seed["text"] is None:
                return [_row(seed, SampleOutcome(seed["id"], "seed", "nothing to cut", {}))]
            fields = {"text": seed["text"], "language": seed["language"] or ""}
            found = await self.step.recipe.follow(seed["id"], fields, lambda request: self._ask(request, log))
            return [_row(seed, outcome) for outcome in found]
        finally:
            self.room.release()
            self.progress.update()

    async def _ask(self, request: Request, log: AnswerLog) -> Answer:
        try:
            answer = await self.client.ask(request, log)
        except Unanswered as refusal:
            self.left.append(refusal.left)
            raise
        self.read[answer.reasoned] += 1
        return answer

    def _counts(self, outcomes: list[dict[str, Any]], log: AnswerLog) -> dict[str, Any]:
        """What was asked for the part, also by processes that were killed, and what came of it."""
        languages = [(row["step"], row["reason"], row["language"] or "") for row in outcomes]
        settled = Counter(each.is_settled for each in self.left)
        return {
            "log": dict(log.counts),
            "usage": {name: log.usage[name] for name in ("prompt_tokens", "completion_tokens")},
            "requests": {
                "read": self.read.total(),
                "reasoned": self.read[True],
                "unanswered": settled[False],  # the next run asks again
                "refused": settled[True],
                "reasons": dict(Counter(each.failure.kind for each in self.left)),
                "said": {each.failure.kind: self.client.said(each.server, each.failure) for each in self.left},
            },
            "outcomes": [[*key, count] for key, count in Counter(languages).items()],
        }


def _row(seed: dict[str, Any], outcome: SampleOutcome) -> dict[str, Any]:
    about = {name: seed[name] for name in ("language", "repository", "path", "score")}
    fields = json.dumps(outcome.fields)
    return {**about, "seed": seed["id"], **outcome._asdict(), "fields": fields}


def _first(error: BaseException) -> BaseException:
    """Of errors that ended tasks together, the one for the reader."""
    if isinstance(error, BaseExceptionGroup):
        leaves = [_first(each) for each in error.exceptions]
        return next((each for each in leaves if isinstance(each, SnowcoderError)), leaves[0])
    return error

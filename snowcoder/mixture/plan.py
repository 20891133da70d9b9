"""The plan of a run: which samples of which source make each step's batch. Pure arithmetic, made once.

A source is an endless stream of tokens, epoch after epoch; a sample is a window of it. The plan says how many windows
each phase takes of each source, where in the stream they begin, and in which order they come.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snowcoder.config.schema import Config, LearningRateConfig
from snowcoder.errors import UserError
from snowcoder.lineage.digest import digest_json
from snowcoder.mixture.apportion import apportion, turns_before
from snowcoder.mixture.shuffle import key_of, permute

NAME = "plan.json"


class SourceSize(NamedTuple):
    """What a plan must know of a source: the size of one epoch, and the digest of its index."""

    tokens: int
    documents: int
    digest: str


class Draw(NamedTuple):
    """One sample: the window of a source's stream that begins at token `position`."""

    source: str
    position: int


@dataclass(frozen=True)
class SourcePlan:
    name: str
    draws: int  # windows the phase takes
    first_token: int  # of the source's stream, where an earlier phase left it
    epoch_tokens: int
    index: str  # digest

    def windows(self, first: int, last: int, length: int, key: int) -> np.ndarray:
        """Stream positions of the phase's draws `first` to `last`, windows of `length` tokens each; int64.

        Windows that begin in the same epoch are shuffled among themselves, so that neighbours in the stream, often
        pieces of one document, do not meet in a batch; epochs stay in order.
        """
        draws = np.arange(first, last)
        epochs = (self.first_token + draws * length) // self.epoch_tokens
        windows = np.empty_like(draws)
        for epoch in np.unique(epochs).tolist():
            begin = max(0, self._first_window(epoch, length))
            count = min(self.draws, self._first_window(epoch + 1, length)) - begin
            inside = epochs == epoch
            windows[inside] = begin + permute(draws[inside] - begin, count, key + epoch)
        return self.first_token + windows * length

    def _first_window(self, epoch: int, length: int) -> int:
        """The first window that begins in `epoch` or later; negative if that is before the phase."""
        return -((self.first_token - epoch * self.epoch_tokens) // length)


@dataclass(frozen=True)
class PhasePlan:
    name: str
    first_step: int
    steps: int
    sequence_length: int
    global_batch: int
    learning_rate: LearningRateConfig
    optimizer_state: str
    sources: tuple[SourcePlan, ...]
    digest: str  # of this phase and all before it: changing a later phase changes no earlier digest

    @property
    def tokens(self) -> int:
        return self.steps * self.global_batch * self.sequence_length

    def draws_before(self, step: int) -> list[int]:
        """Windows of each source taken by the phase's first `step` steps."""
        return turns_before(step * self.global_batch, [source.draws for source in self.sources])


@dataclass(frozen=True)
class Plan:
    seed: int
    phases: tuple[PhasePlan, ...]

    @property
    def digest(self) -> str:
        return self.phases[-1].digest

    @property
    def total_steps(self) -> int:
        return self.phases[-1].first_step + self.phases[-1].steps

    def phase_at(self, step: int) -> PhasePlan:
        """The phase of the update that follows `step` finished ones."""
        return next(phase for phase in reversed(self.phases) if phase.first_step <= step)

    def draws(self, step: int) -> list[Draw]:
        """The batch of a step, in the order of its slots."""
        phase = self.phase_at(step)
        local = step - phase.first_step
        batch = []
        spans = zip(phase.sources, phase.draws_before(local), phase.draws_before(local + 1), strict=True)
        for source, first, last in spans:
            key = key_of(self.seed, "windows", phase.name, source.name)
            positions = source.windows(first, last, phase.sequence_length, key).tolist()
            batch += [Draw(source.name, position) for position in positions]
        # Sources are spread over the slots, so that no rank or micro batch sees one source alone.
        order = permute(np.arange(len(batch)), len(batch), key_of(self.seed, "slots", step))
        return [batch[slot] for slot in order]

    def consumed(self, step: int) -> dict[str, dict[str, int]]:
        """The ledger: tokens of each phase and source in the first `step` steps."""
        ledger = {}
        for phase in self.phases:
            local = min(step - phase.first_step, phase.steps)
            if local > 0:
                draws = zip(phase.sources, phase.draws_before(local), strict=True)
                ledger[phase.name] = {source.name: count * phase.sequence_length for source, count in draws}
        return ledger

    def cursors(self, step: int) -> dict[str, int]:
        """Tokens taken from each source's stream by the first `step` steps."""
        taken = {source.name: 0 for phase in self.phases for source in phase.sources}
        for sources in self.consumed(step).values():
            for name, tokens in sources.items():
                taken[name] += tokens
        return taken


def make_plan(config: Config, sizes: dict[str, SourceSize]) -> Plan:
    """The plan of all phases. Raises `UserError` if a source would be repeated more often than its cap allows."""
    phases: list[PhasePlan] = []
    cursors = dict.fromkeys(sizes, 0)
    too_often: list[str] = []
    for name, phase in config.phases.items():
        steps = round(phase.tokens / (phase.global_batch * phase.sequence_length))
        seats = apportion(steps * phase.global_batch, [source.share for source in phase.sources.values()])
        sources = []
        for (source, choice), draws in zip(phase.sources.items(), seats, strict=True):
            size = sizes[source]
            sources.append(SourcePlan(source, draws, cursors[source], size.tokens, size.digest))
            cursors[source] += draws * phase.sequence_length
            if cursors[source] > choice.max_epochs * size.tokens:
                too_often.append(_too_often(name, sources[-1], phase.sequence_length, choice.max_epochs))
        first_step = phases[-1].first_step + phases[-1].steps if phases else 0
        content = {
            "name": name,
            "first_step": first_step,
            "steps": steps,
            "sequence_length": phase.sequence_length,
            "global_batch": phase.global_batch,
            "learning_rate": phase.learning_rate.model_dump(),
            "optimizer_state": phase.optimizer_state,
            "sources": [asdict(source) for source in sources],
        }
        before = phases[-1].digest if phases else config.run.seed
        phases.append(_phase({**content, "digest": digest_json([before, content])}))
    if too_often:
        raise UserError("the plan repeats sources too often:\n" + "\n".join(too_often))
    return Plan(config.run.seed, tuple(phases))


def _too_often(phase: str, source: SourcePlan, length: int, cap: float) -> str:
    end = source.first_token + source.draws * length
    left = max(0.0, cap * source.epoch_tokens - source.first_token)
    return (
        f"  {phase}.{source.name}: {source.draws * length:,} tokens wanted, after {source.first_token:,} taken by earlier "
        f"phases; one epoch has {source.epoch_tokens:,}, so that is {end / source.epoch_tokens:.3f} epochs, above "
        f"max_epochs={cap:g}; {int(left):,} tokens would fit: lower the phase's tokens or the source's share"
    )


def _phase(raw: dict[str, Any]) -> PhasePlan:
    return PhasePlan(
        **{
            **raw,
            "learning_rate": LearningRateConfig(**raw["learning_rate"]),
            "sources": tuple(SourcePlan(**source) for source in raw["sources"]),
        }
    )


def plan_json(plan: Plan) -> dict[str, Any]:
    raw = asdict(plan)
    for phase, content in zip(plan.phases, raw["phases"], strict=True):
        content["learning_rate"] = phase.learning_rate.model_dump()
    return raw


def load_plan(folder: Path) -> Plan:
    """Read plan.json. Raises `UserError` where `snowcoder plan` has not been."""
    try:
        raw = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        raise UserError(f"there is no plan in {folder}: run `snowcoder plan`") from None
    return Plan(raw["seed"], tuple(_phase(phase) for phase in raw["phases"]))

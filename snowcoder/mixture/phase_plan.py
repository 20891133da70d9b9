"""The plan of a run: which samples of which source make each step's batch. Pure arithmetic.

A source is an endless stream of tokens, epoch after epoch; a sample is a window of it. The plan
says how many windows each phase takes of each source, where in the stream they begin, and in which
order they come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.config.schema import Config, FimConfig, LearningRateConfig, PhaseConfig
from snowcoder.config.section import Section
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import read_manifest
from snowcoder.mixture.apportion import apportion, turns_before
from snowcoder.permutation import key_of, permute
from snowcoder.storage.digest import digest_bytes, digest_json

NAME = "plan.json"


class SourceSize(NamedTuple):
    """What a plan must know of a source: the size of one epoch, and the digest of its index."""

    tokens: int  # with the room that is reserved for fill-in-the-middle
    digest: str  # empty for a source that is not indexed yet


class Draw(NamedTuple):
    """One sample: the window of a source's stream that begins at token `position`."""

    source: str
    position: int


class SourcePlan(Section):
    name: str
    draws: int  # windows the phase takes
    first_token: int  # of the source's stream, where an earlier phase left it
    epoch_tokens: int
    index: str  # digest

    def windows(self, first: int, last: int, length: int, key: int) -> np.ndarray:
        """Stream positions of the phase's draws `first` to `last`, each of `length` tokens; int64 [last - first].

        Windows that begin in the same epoch are shuffled among themselves, so that neighbours in
        the stream, often pieces of one document, do not meet in a batch; epochs stay in order.
        """
        draws = np.arange(first, last)
        epochs = (self.first_token + draws * length) // self.epoch_tokens
        windows = np.empty_like(draws)
        for epoch in np.unique(epochs).tolist():
            begin = max(0, self._first_window(epoch, length))
            count = min(self.draws, self._first_window(epoch + 1, length)) - begin
            inside = epochs == epoch
            windows[inside] = begin + permute(draws[inside] - begin, count, key_of(key, epoch))
        return self.first_token + windows * length

    def _first_window(self, epoch: int, length: int) -> int:
        """The first window that begins in `epoch` or later; negative if before the phase."""
        return -((self.first_token - epoch * self.epoch_tokens) // length)


class PhasePlan(Section):
    name: str
    first_step: int
    steps: int
    sequence_length: int
    global_batch: int
    learning_rate: LearningRateConfig
    optimizer_state: str
    sources: tuple[SourcePlan, ...]
    digest: str  # of this phase and all before it: no earlier digest depends on a later phase

    @property
    def last_step(self) -> int:
        """Finished updates where it ends."""
        return self.first_step + self.steps

    @property
    def tokens(self) -> int:
        return self.steps * self.global_batch * self.sequence_length

    def draws_before(self, step: int) -> list[int]:
        """Windows of each source taken by the phase's first `step` steps."""
        return turns_before(step * self.global_batch, [source.draws for source in self.sources])


class Plan(Section):
    seed: int
    phases: tuple[PhasePlan, ...]
    fim: FimConfig | None = None  # None: off

    @property
    def digest(self) -> str:
        return self.phases[-1].digest

    @property
    def total_steps(self) -> int:
        return self.phases[-1].last_step

    @property
    def indexes(self) -> dict[str, str]:
        """Digest of each source's index."""
        return {source.name: source.index for phase in self.phases for source in phase.sources}

    def epochs(self) -> dict[str, int]:
        """Epochs of each source's stream that the run reads from, were it only the last label."""
        sizes = {s.name: s.epoch_tokens for phase in self.phases for s in phase.sources}
        ends = self.cursors(self.total_steps)
        return {name: end // sizes[name] + 1 for name, end in ends.items()}

    def phase_at(self, step: int) -> PhasePlan:
        """The phase of the update that follows `step` finished ones."""
        return next(phase for phase in reversed(self.phases) if phase.first_step <= step)

    def until(self, step: int) -> Plan:
        """The phases that have begun when `step` updates are finished."""
        return self.model_copy(update={"phases": tuple(phase for phase in self.phases if phase.first_step < step)})

    def draws(self, step: int) -> list[Draw]:
        """The batch of a step, in the order of its slots."""
        phase = self.phase_at(step)
        local = step - phase.first_step
        before, after = phase.draws_before(local), phase.draws_before(local + 1)
        batch = []
        for source, first, last in zip(phase.sources, before, after, strict=True):
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
                names = [source.name for source in phase.sources]
                tokens = [count * phase.sequence_length for count in phase.draws_before(local)]
                ledger[phase.name] = dict(zip(names, tokens, strict=True))
        return ledger

    def cursors(self, step: int) -> dict[str, int]:
        """Tokens taken from each source's stream by the first `step` steps."""
        taken = {source.name: 0 for phase in self.phases for source in phase.sources}
        for sources in self.consumed(step).values():
            for name, tokens in sources.items():
                taken[name] += tokens
        return taken


def make_plan(config: Config, sizes: dict[str, SourceSize]) -> Plan:
    """The plan of all phases.

    Raises `UserError` naming every source that would be repeated more often than its cap allows.
    """
    phases: list[PhasePlan] = []
    cursors = dict.fromkeys(sizes, 0)
    repeated: list[str] = []
    fim = config.fim if config.fim.rate else None
    before = digest_json([config.run.seed, fim.model_dump()]) if fim else str(config.run.seed)
    first_step = 0
    for name, phase in config.phases.items():
        planned = _phase(name, phase, first_step, _sources(phase, sizes, cursors), before)
        repeated += _repeated_too_often(planned, phase)
        for source in planned.sources:
            cursors[source.name] += source.draws * phase.sequence_length
        before, first_step = planned.digest, planned.last_step
        phases.append(planned)
    if repeated:
        raise UserError("the plan repeats sources too often:\n" + "\n".join(repeated))
    return Plan(seed=config.run.seed, phases=tuple(phases), fim=fim)


def _steps(phase: PhaseConfig) -> int:
    return round(phase.tokens / (phase.global_batch * phase.sequence_length))


def _sources(phase: PhaseConfig, sizes: dict[str, SourceSize], cursors: dict[str, int]) -> tuple[SourcePlan, ...]:
    samples = _steps(phase) * phase.global_batch
    draws = apportion(samples, [source.share for source in phase.sources.values()])
    return tuple(
        SourcePlan(
            name=name,
            draws=count,
            first_token=cursors[name],
            epoch_tokens=sizes[name].tokens,
            index=sizes[name].digest,
        )
        for name, count in zip(phase.sources, draws, strict=True)
    )


def _phase(name: str, phase: PhaseConfig, first_step: int, sources: tuple[SourcePlan, ...], before: str) -> PhasePlan:
    planned = PhasePlan(
        name=name,
        first_step=first_step,
        steps=_steps(phase),
        sequence_length=phase.sequence_length,
        global_batch=phase.global_batch,
        learning_rate=phase.learning_rate,
        optimizer_state=phase.optimizer_state,
        sources=sources,
        digest="",
    )
    return planned.model_copy(update={"digest": digest_json([before, planned.model_dump()])})


def _repeated_too_often(planned: PhasePlan, phase: PhaseConfig) -> Iterator[str]:
    """A sentence for each source that is above its cap, with what would fit."""
    for source in planned.sources:
        choice = phase.sources[source.name]
        wanted = source.draws * phase.sequence_length
        left = choice.max_epochs * source.epoch_tokens - source.first_token
        if wanted > max(0, left):
            windows = max(0, int(left / phase.sequence_length))
            fitting = _what_fits(planned, choice.share, windows)
            yield (
                f"  phases.{planned.name}.sources.{source.name}: {wanted:,} tokens wanted after "
                f"{source.first_token:,} of earlier phases; one epoch has {source.epoch_tokens:,}, "
                f"so that is {(source.first_token + wanted) / source.epoch_tokens:.3f} epochs, "
                f"above max_epochs={choice.max_epochs:g}; {fitting}"
            )


def _what_fits(planned: PhasePlan, share: float, windows: int) -> str:
    """The largest budget, or share of the budget, that takes at most `windows` of a source."""
    steps = int(windows / share / planned.global_batch)
    most = math.floor(windows / (planned.steps * planned.global_batch) * 1e4) / 1e4
    if steps == 0:
        return "no step of this phase fits: take other sources, or raise max_epochs"
    tokens = steps * planned.global_batch * planned.sequence_length
    return f"at most phases.{planned.name}.tokens={tokens} or share={most:g} would fit"


def load_plan(folder: Path) -> Plan:
    """Read plan.json. Raises `UserError` where `snowcoder plan` has not been, or not to its end."""
    manifest = read_manifest(folder, "snowcoder plan")
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{folder / NAME} is missing: run `snowcoder plan`") from None
    if digest_bytes(text) != manifest.output(NAME).digest:
        raise UserError(f"{folder / NAME} was changed after it was written: run `snowcoder plan`")
    return Plan.model_validate_json(text)

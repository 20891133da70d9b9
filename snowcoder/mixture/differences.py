"""What is different between two plans, in the words of the config: `key: old -> new`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snowcoder.config.schema import FimConfig
from snowcoder.mixture.phase_plan import PhasePlan, Plan, SourcePlan


def plan_differences(old: Plan, new: Plan) -> list[str]:
    """In the phases of `old`, each difference once; phases that `new` has besides are none."""
    names = [phase.name for phase in old.phases]
    ours = {phase.name: phase for phase in new.phases}
    found = [
        *_changed("run.seed", old.seed, new.seed),
        *_fim(old.fim, new.fim),
        *_changed("phases", names, [phase.name for phase in new.phases][: len(names)]),
        *(text for phase in old.phases if phase.name in ours for text in _phase(phase, ours[phase.name])),
    ]
    return list(dict.fromkeys(found)) or ["what snowcoder makes of the same config, which was another version then"]


def _changed(key: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield f"{key}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fim(old: FimConfig | None, new: FimConfig | None) -> Iterator[str]:
    if old is None or new is None:
        yield from _changed("fim.rate", old.rate if old else 0, new.rate if new else 0)
        return
    for key, value in old.model_dump().items():
        yield from _changed(f"fim.{key}", value, getattr(new, key))


def _phase(old: PhasePlan, new: PhasePlan) -> Iterator[str]:
    key = f"phases.{old.name}"
    for name in ("global_batch", "sequence_length", "optimizer_state"):
        yield from _changed(f"{key}.{name}", getattr(old, name), getattr(new, name))
    # A budget is rounded to whole steps: where these are others, it may be the same.
    if abs(old.tokens - new.tokens) >= max(_step(old), _step(new)) or (_step(old) == _step(new)):
        yield from _changed(f"{key}.tokens", old.tokens, new.tokens)
    for name, value in old.learning_rate.model_dump().items():
        yield from _changed(f"{key}.learning_rate.{name}", value, getattr(new.learning_rate, name))
    yield from _sources(key, old, new)


def _step(phase: PhasePlan) -> int:
    return phase.global_batch * phase.sequence_length


def _sources(key: str, old: PhasePlan, new: PhasePlan) -> Iterator[str]:
    theirs, ours = ({source.name: source for source in phase.sources} for phase in (old, new))
    for name in dict.fromkeys([*theirs, *ours]):
        before, after = _share(old, theirs.get(name)), _share(new, ours.get(name))
        if abs(before - after) > 2 / min(old.steps * old.global_batch, new.steps * new.global_batch):
            yield f"{key}.sources.{name}.share: {before:.4g} -> {after:.4g}"
        if name in theirs and name in ours:
            yield from _index(theirs[name], ours[name])


def _share(phase: PhasePlan, source: SourcePlan | None) -> float:
    return source.draws / (phase.steps * phase.global_batch) if source else 0.0


def _index(old: SourcePlan, new: SourcePlan) -> Iterator[str]:
    if old.index != new.index:
        yield from _changed(f"the index of {old.name}", old.index or "none yet", new.index or "none yet")
    elif not old.index:
        yield from _changed(f"index.sources.{old.name}.planned_tokens", old.epoch_tokens, new.epoch_tokens)

"""How fast a run will go, and on what that rests: its own last steps, else what the config assumes, else nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from snowcoder.config.frozen import read_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import PhasePlan, Plan
from snowcoder.model.throughput import read_metrics, recent_speed


class Pace(NamedTuple):
    rate: float | None  # tokens/s of a rank; None: not known
    basis: str  # on what it rests
    ranks: int
    peak: float | None  # TFLOP/s of a rank's device, where it is known
    step: int  # steps that are done

    def hours(self, phase: PhasePlan) -> str:
        """Of all ranks, for the whole phase."""
        if not self.rate:
            return "?"
        hours = phase.tokens / self.rate / 3600
        return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2g}"

    def time_left(self, phase: PhasePlan) -> timedelta:
        """For the steps of a phase that are not done; 0 if it is not known."""
        steps = min(phase.steps, max(0, phase.last_step - self.step))
        tokens = steps * phase.global_batch * phase.sequence_length
        return timedelta(seconds=tokens / (self.rate * self.ranks) if self.rate else 0)

    def end(self, phase: PhasePlan, moment: datetime) -> str:
        if phase.last_step <= self.step:
            return "done"
        return f"{moment:%Y-%m-%d %H:%M}" if self.rate else "?"


def find_pace(config: Config, plan: Plan) -> Pace:
    """Raises nothing: what the run's folder holds may be of another version."""
    ranks, assumed = config.parallel.world_size, config.plan.tokens_per_second_per_gpu
    steps = [record for record in read_metrics(RunFolder.of(config).metrics) if record["kind"] == "step"]
    done = min(steps[-1]["step"], plan.total_steps) if steps else 0
    why_not = _other_than(config, plan, steps[-1]) if steps else ""
    speed = recent_speed([step for step in steps if step["phase"] == steps[-1]["phase"]])
    if speed and not why_not:
        basis = (
            f"measured in this run, steps {speed.first} to {speed.last} (the median); saves and validation come on top"
        )
        on_gpus = speed.flops is not None and speed.flops.mfu is not None
        return Pace(speed.median / ranks, basis, ranks, config.precision.peak_tflops if on_gpus else None, done)
    not_used = f"; the run's last steps are not used: {why_not}" if why_not else ""
    if assumed:
        basis = f"assumed, not measured: plan.tokens_per_second_per_gpu={assumed:g}{not_used}"
        return Pace(assumed, basis, ranks, config.precision.peak_tflops, done)
    basis = (
        f"not known until some steps are measured{not_used}. Run `snowcoder train` with the same arguments for a few "
        "(Ctrl-C saves and ends it), then plan again; or set plan.tokens_per_second_per_gpu"
    )
    return Pace(None, basis, ranks, config.precision.peak_tflops, done)


def _other_than(config: Config, plan: Plan, step: dict[str, Any]) -> str:
    """In what the run's last steps were other ones than those that `config` would make; empty if in nothing."""
    try:
        before = read_config(RunFolder.of(config).resolved)
    except UserError as error:
        return str(error).splitlines()[0]
    ours, theirs = _shape(config), _shape(before)
    different = [f"{key} was {theirs.get(key)}" for key in ours if ours[key] != theirs.get(key)]
    phase = plan.phase_at(min(step["step"], plan.total_steps) - 1)
    if not different and step["tokens"] != phase.global_batch * phase.sequence_length:
        different = [f"a step had {step['tokens']:,} tokens"]
    return ", ".join(different)


def _shape(config: Config) -> dict[str, Any]:
    """What decides the speed of a step, by key."""
    sections = {"model": config.model, "parallel": config.parallel, "precision": config.precision}
    return {
        f"{name}.{key}": value
        for name, section in sections.items()
        for key, value in section.model_dump(exclude={"peak_tflops"}).items()
    }

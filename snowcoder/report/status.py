"""`snowcoder status RUN [json]`: where a run stands, what happened to it, what it has consumed."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from snowcoder import readable
from snowcoder.errors import UserError
from snowcoder.model.throughput import Flops
from snowcoder.report.records import Records, read_records
from snowcoder.report.state import restarts, state_of

_WARNINGS = ("warning", "passed-over")
_SHOWN = 5  # of each list, the newest


def run(folder: str, form: str = "text") -> None:
    if form not in ("text", "json"):
        raise UserError(f"usage: snowcoder status RUN [json]; {form!r} is no form of it")
    status = summarize_run(read_records(folder), datetime.now(UTC))
    print(json.dumps(status, indent=1, allow_nan=False, default=_plain) if form == "json" else "\n".join(lines(status)))


def summarize_run(records: Records, now: datetime) -> dict[str, Any]:
    """The status as one object; its keys stay. What is not known is null, times are UTC, durations seconds."""
    state = state_of(records, now)
    return {
        "run": str(records.folder),
        "state": state.name,
        "since": state.since,
        "why": state.why,
        "silent_seconds": state.silent_seconds,
        "quiet": state.quiet,
        **_progress(records),
        "checkpoint": _checkpoint(records),
        "restarts": restarts(records),
        "skipped_steps": [{"step": r["step"], "phase": r.get("phase"), "why": r.get("why")} for r in records.skipped],
        "skipped_windows": records.windows,
        "rollbacks": _events(records, "rolled-back"),
        "warnings": _events(records, *_WARNINGS),
        "ledger": records.checkpoint.ledger if records.checkpoint else {},
        "cursors": _cursors(records),
        "notes": records.notes,
    }


def _progress(records: Records) -> dict[str, Any]:
    last: dict[str, Any] = records.last or {}
    speed = records.speed
    rate = speed.tokens_per_second if speed else None
    flops = speed.flops._asdict() if speed and speed.flops else dict.fromkeys(Flops._fields)
    step = last.get("step", records.checkpoint.step if records.checkpoint else 0)
    return {
        "phase": last.get("phase"),
        "step": step,
        "total_steps": records.total_steps,
        "loss": _finite(last.get("loss")),
        "gradient_norm": _finite(last.get("gradient_norm")),
        "learning_rate": last.get("learning_rate"),
        "tokens_per_second": rate,
        **flops,  # a rank's: TFLOP/s, and their share of its device's peak
        "data_share": speed.data_share if speed else None,  # of the steps' time, spent waiting for data
        "seconds_left": {"phase": _left(records, step, rate, True), "run": _left(records, step, rate, False)},
    }


def _left(records: Records, step: int, rate: float | None, phase_only: bool) -> float | None:
    spans = records.run_spans
    if phase_only:
        # The phase of the last finished step, as the console's line has it.
        spans = [span for span in spans if span.first_step < max(step, 1) <= span.end]
    if rate is None or not spans:
        return None
    return sum(max(0, span.end - max(step, span.first_step)) * span.tokens_per_step for span in spans) / rate


def _checkpoint(records: Records) -> dict[str, Any] | None:
    record = records.checkpoint
    if record is None:
        return None
    wanted = records.config is not None and records.config.checkpoint.upload is not None
    uploads = {event.step for event in records.events if event.kind == "uploaded"}
    uploaded = record.step in uploads if wanted or uploads else None
    return {
        "step": record.step,
        "phase": record.phase,
        "time": records.checkpoint_time,
        "uploaded": uploaded,  # null: checkpoint.upload is not set
    }


def _cursors(records: Records) -> dict[str, Any]:
    phases = records.plan.phases if records.plan else ()
    epochs = {source.name: source.epoch_tokens for phase in phases for source in phase.sources}
    cursors = records.checkpoint.cursors if records.checkpoint else {}
    return {
        name: {"tokens": tokens, "epoch": tokens / epochs[name] if name in epochs else None}
        for name, tokens in cursors.items()
    }


def _events(records: Records, *kinds: str) -> list[dict[str, Any]]:
    return [
        {"time": event.time, "kind": event.kind, "step": event.step, "host": event.host, "text": event.text}
        for event in records.events
        if event.kind in kinds
    ]


def lines(status: dict[str, Any]) -> list[str]:
    """The same for a person: state, progress, last checkpoint, what happened, the ledger of its tokens, the cursors."""
    return [*_state_lines(status), *_progress_lines(status), *_checkpoint_lines(status), *_history_lines(status)]


def brief(records: Records) -> list[str]:
    """State, progress and last checkpoint alone."""
    status = summarize_run(records, datetime.now(UTC))
    return [*_state_lines(status), *_progress_lines(status), *itertools.islice(_checkpoint_lines(status), 1)]


def _state_lines(status: dict[str, Any]) -> Iterator[str]:
    since = f" since {_clock(status['since'])}" if status["since"] else ""
    yield f"{status['run']}: {status['state']}{since} ({status['why']})"
    if status["quiet"]:
        silent = status["silent_seconds"]
        how_long = "without a time" if silent is None else f"for {readable.duration(silent)}"
        yield f"  but nothing was heard of it {how_long}: it was probably killed from outside, or its node lost"
    for note in status["notes"]:
        yield f"  note: {note}"


def _progress_lines(status: dict[str, Any]) -> Iterator[str]:
    of = f" of {status['total_steps']}" if status["total_steps"] is not None else ""
    if status["phase"] is None:
        yield f"  no step finished yet{of}"
        return
    yield f"  {status['phase']}, step {status['step']}{of}"
    loss, norm = (_number(status[key], form) for key, form in (("loss", ".4f"), ("gradient_norm", ".3f")))
    rate = readable.rate(status["tokens_per_second"], "tokens")
    learning = _number(status["learning_rate"], ".2e")
    yield f"  loss {loss}, gradient norm {norm}, learning rate {learning}, {rate}"
    if status["tflops"] is not None:
        yield f"  {Flops(*(status[name] for name in Flops._fields))}"
    if status["data_share"] is not None:
        yield f"  waiting for data: {status['data_share']:.1%} of the time"
    left = {name: seconds for name, seconds in status["seconds_left"].items() if seconds is not None}
    if any(left.values()):
        times = ", ".join(f"{name} {readable.duration(seconds)}" for name, seconds in left.items())
        yield f"  left at this speed: {times}"


def _checkpoint_lines(status: dict[str, Any]) -> Iterator[str]:
    record = status["checkpoint"]
    if record is None:
        yield "  no checkpoint yet"
        return
    uploaded = {None: "", True: ", uploaded", False: ", not uploaded yet"}[record["uploaded"]]
    yield f"  last checkpoint: step {record['step']} ({record['phase']}), {_clock(record['time'])}{uploaded}"
    yield "  tokens consumed by then:"
    for phase, sources in status["ledger"].items():
        for source, tokens in sources.items():
            yield f"    {phase:<10}{source:<20}{tokens:>18,}"
    yield "  cursors (tokens of each source's stream):"
    for source, cursor in status["cursors"].items():
        epoch = "" if cursor["epoch"] is None else f"  epoch {cursor['epoch']:.2f}"
        yield f"    {source:<30}{cursor['tokens']:>18,}{epoch}"


def _history_lines(status: dict[str, Any]) -> Iterator[str]:
    yield from _listed("restarts", status["restarts"], lambda r: f"{_clock(r['time'])}  {_at(r)}{r['why']}")
    yield from _listed("rollbacks", status["rollbacks"], lambda r: f"{_clock(r['time'])}  {_at(r)}{r['text']}")
    if status["skipped_windows"]:  # the same steps, by decision
        yield from _listed("passed over", status["skipped_windows"], lambda r: f"{_window(r)}: {r['why']}")
    else:
        yield from _listed("passed over", status["skipped_steps"], lambda r: f"{_at(r)}{r['why']}")
    yield from _listed("warnings", status["warnings"], lambda r: f"{_clock(r['time'])}  {_at(r)}{r['text']}")


def _listed(title: str, entries: list[dict[str, Any]], form: Any) -> Iterator[str]:
    if entries:
        newest = f", the newest {_SHOWN}" if len(entries) > _SHOWN else ""
        yield f"  {title}: {len(entries)}{newest}"
        yield from (f"    {form(entry)}" for entry in entries[-_SHOWN:])


def _window(window: dict[str, Any]) -> str:
    """Steps as metrics.jsonl counts them, from 1."""
    first, last = window["first"] + 1, window["last"]
    return f"step {last}" if first == last else f"steps {first} to {last}"


def _at(entry: dict[str, Any]) -> str:
    return "" if entry.get("step") is None else f"step {entry['step']}: "


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)


def _clock(time: datetime | None) -> str:
    return "?" if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _plain(value: Any) -> str:
    return _clock(value)

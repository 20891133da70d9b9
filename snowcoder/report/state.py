"""The state of a run, derived from its events and from how long ago it last gave a sign of life."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from snowcoder.report.records import Records
from snowcoder.training.events import TURNS

_NO_CONFIG_SILENCE = 300.0
_SAME_MOMENT = 5.0


class State(NamedTuple):
    name: str  # a value of TURNS, or "not started"
    since: datetime | None
    why: str
    silent_seconds: float | None  # of a running one, since its last record or event
    quiet: bool  # longer than a running one should be


def state_of(records: Records, now: datetime) -> State:
    turns = [event for event in records.events if event.kind in TURNS]
    name, since, why = "not started", None, "`snowcoder train` has not begun"
    if turns and turns[-1].kind != "started" and _went_on(records, turns[-1].time):
        name, why = "running", "its steps are newer than the last end in events.log"
    elif turns:
        name, since, why = TURNS[turns[-1].kind], turns[-1].time, turns[-1].text
    elif records.last and records.run_spans and records.last["step"] >= records.run_spans[-1].end:
        name, since, why = "finished", records.metrics_time, "all steps are done"
    elif records.last:
        name, since, why = "running", None, "its events.log says nothing"
    if name != "running":
        return State(name, since, why, None, False)
    signs = [time for time in (records.metrics_time, *(event.time for event in records.events[-1:])) if time]
    silent = max(0.0, (now - max(signs)).total_seconds()) if signs else None
    return State(name, since, why, silent, silent is None or silent > patience(records))


def _went_on(records: Records, end: datetime) -> bool:
    """Whether steps were recorded after an end; times in events.log have whole seconds."""
    return records.metrics_time is not None and records.metrics_time > end + timedelta(seconds=_SAME_MOMENT)


def patience(records: Records) -> float:
    """Seconds without a sign of life after which a run that says it is running probably is not."""
    configured = records.config.launch.silent_seconds * 5 if records.config else _NO_CONFIG_SILENCE
    return max(configured, 20 * max((step["seconds"] for step in records.steps[-20:]), default=0.0))


def restarts(records: Records) -> list[dict[str, Any]]:
    """Each start after the first, with what ended the one before it."""
    found: list[dict[str, Any]] = []
    why: str | None = None
    begun = False
    for event in records.events:
        if event.kind == "started":
            if begun:
                reason = why or "the run before ended without a word: killed from outside, or its node lost"
                found.append({"time": event.time, "step": event.step, "why": reason})
            begun, why = True, None
        elif event.kind in TURNS:
            # The reason is what failed, not that the job was given back for it.
            why = why if event.kind == "requeued" and why else f"{TURNS[event.kind]}: {event.text}"
    return found

"""`snowcoder status RUN`: where a run stands and what it has consumed."""

from __future__ import annotations

from snowcoder.report.records import Records, read_records


def run(folder: str) -> None:
    print("\n".join(describe(read_records(folder))))


def describe(records: Records) -> list[str]:
    """The status as lines: progress, last checkpoint, the ledger of its tokens, the sources' cursors."""
    return [*_progress(records), *_checkpoint(records)]


def _progress(records: Records) -> list[str]:
    plan, last = records.plan, records.last
    if last is None:
        return [f"{records.folder}: no step finished yet of {plan.total_steps}"]
    recent = records.steps[-20:]
    rate = sum(step["tokens"] for step in recent) / sum(step["seconds"] for step in recent)
    return [
        f"{records.folder}: {last['phase']}, step {last['step']} of {plan.total_steps}",
        f"  loss {last['loss']:.4f}, learning rate {last['learning_rate']:.2e}, {rate:,.0f} tokens/s",
    ]


def _checkpoint(records: Records) -> list[str]:
    record = records.checkpoint
    if record is None:
        return ["  no checkpoint yet"]
    lines = [f"  last checkpoint: step {record['step']} ({record['phase']})", "  tokens consumed by then:"]
    for phase, sources in record["ledger"].items():
        for source, tokens in sources.items():
            lines.append(f"    {phase:<10}{source:<20}{tokens:>18,}")
    lines.append("  cursors (tokens of each source's stream):")
    epochs = {source.name: source.epoch_tokens for phase in records.plan.phases for source in phase.sources}
    for source, cursor in record["cursors"].items():
        lines.append(f"    {source:<30}{cursor:>18,}  epoch {cursor / epochs[source]:.2f}")
    return lines

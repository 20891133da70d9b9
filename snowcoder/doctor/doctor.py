"""`snowcoder doctor`: all that a run needs, checked before a node is asked for. Nothing is started or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snowcoder.config.schema import Config
from snowcoder.doctor import clocks, disk, dry_step, inputs, objects, services, topology, versions
from snowcoder.doctor.finding import Finder, Finding
from snowcoder.errors import SnowcoderError, UserError

CHECKS: dict[str, Finder] = {
    "inputs": inputs.input_findings,
    "checkpoint": inputs.checkpoint_findings,
    "topology": topology.topology_findings,
    "first step": dry_step.step_findings,
    "disk": disk.disk_findings,
    "shards": objects.shard_findings,
    "upload": objects.upload_findings,
    "clock": clocks.clock_findings,
    "versions": versions.version_findings,
    "logging": services.logging_findings,
    "notify": services.notify_findings,
}


def run(config: Config) -> None:
    """Print one line a check; raise `UserError` if any found a problem."""
    counts: Counter[str] = Counter()
    for finding in examine(config):
        counts[finding.level] += 1
        print(f"{finding.level:<9}{finding.subject:<12}{' '.join(finding.text.split())}", flush=True)
    warnings = f"{counts['warning']} warning(s)"
    if counts["problem"]:
        raise UserError(f"{counts['problem']} problem(s), {warnings}; the lines above say what to do")
    print(f"no problem, {warnings}")


def examine(config: Config) -> Iterator[Finding]:
    """Every check, whatever becomes of the ones before it."""
    for subject, check in CHECKS.items():
        try:
            yield from check(config)
        except SnowcoderError as error:
            yield Finding("problem", subject, str(error))
        except OSError as error:
            yield Finding("problem", subject, f"cannot be checked: {error.strerror or error} ({error.filename})")

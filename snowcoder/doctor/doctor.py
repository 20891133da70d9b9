"""`snowcoder doctor`: all that a run needs, checked before a node is asked for. Nothing is started or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snowcoder.config.schema import Config
from snowcoder.doctor import clocks, disk, inputs, objects, services, topology, versions
from snowcoder.doctor.finding import Check, Finding
from snowcoder.errors import SnowcoderError, UserError

CHECKS: dict[str, Check] = {
    "inputs": inputs.check,
    "checkpoint": inputs.check_checkpoint,
    "topology": topology.check,
    "disk": disk.check,
    "shards": objects.check_shards,
    "upload": objects.check_upload,
    "clock": clocks.check,
    "versions": versions.check,
    "logging": services.check_logging,
    "notify": services.check_notify,
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

"""What became of the patches of a run, bug by bug, as it is kept beside them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.repair.bugs import Bug
from snowcoder.repair.validate import Patch, PatchVerdict
from snowcoder.storage.atomic import write_json

RESULTS = "results.json"


@dataclass(frozen=True)
class BugResult:
    name: str
    samples: int
    finished: int
    compilable: int
    plausible: int
    exact: int
    judged: bool  # there is something to judge it by
    hunks: int


@dataclass(frozen=True)
class RepairResults:
    name: str  # of the run in a table
    guidance: dict[str, str | bool | float | None]
    model: str  # digest
    seed: int
    bugs: list[BugResult]
    taken: dict[str, float]  # seconds, tokens, and the counts of guiding; empty for patches of an earlier version

    @property
    def samples(self) -> int:
        return sum(bug.samples for bug in self.bugs)

    def share(self, what: str) -> float:
        """Of all samples of the bugs that are judged; what came to no end counts as neither."""
        judged = [bug for bug in self.bugs if bug.judged]
        count: int = sum(getattr(bug, what) for bug in judged)
        return count / max(1, sum(bug.samples for bug in judged))

    def bugs_with(self, what: str) -> int:
        """Bugs with a patch that is so, at least one."""
        return sum(getattr(bug, what) > 0 for bug in self.bugs)


def repair_results(
    config: Config,
    digest: str,
    bugs: list[Bug],
    patches: list[Patch],
    verdicts: list[PatchVerdict],
    taken: dict[str, float],
) -> RepairResults:
    found: dict[str, list[PatchVerdict]] = {bug.name: [] for bug in bugs}
    for patch, verdict in zip(patches, verdicts, strict=True):
        found[patch.bug.name].append(verdict)
    counted = [_counted(bug, found[bug.name]) for bug in bugs]
    name = Path(config.repair.dir).resolve().name
    guided = config.guidance.written_by
    return RepairResults(name, guided, digest, config.run.seed, counted, taken)


def _counted(bug: Bug, verdicts: list[PatchVerdict]) -> BugResult:
    return BugResult(
        bug.name,
        samples=len(verdicts),
        finished=sum(each.finished for each in verdicts),
        compilable=sum(each.compiles for each in verdicts),
        plausible=sum(each.plausible for each in verdicts),
        exact=sum(each.exact for each in verdicts),
        judged=bug.is_judged,
        hunks=bug.hunks,
    )


def write_results(folder: Path, results: RepairResults) -> None:
    write_json(folder / RESULTS, asdict(results))


def read_results(folder: Path) -> RepairResults:
    """Raises UserError where no run has ended in the folder."""
    try:
        raw = json.loads((folder / RESULTS).read_text())
        return RepairResults(**{**raw, "bugs": [BugResult(**bug) for bug in raw["bugs"]]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} has no {RESULTS} of a repair ({type(error).__name__}); `snowcoder repair` writes it"
        ) from None

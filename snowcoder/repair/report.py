"""`snowcoder repair report RUN...`: the runs of these folders side by side, as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.repair.results import read_results
from snowcoder.repair.table import guided_by, repair_table
from snowcoder.storage.atomic import write_json, write_text

REPORT = "report"


def run(config: Config, *folders: str) -> None:
    """Of repair.dir, where no folder is named. Raises UserError where a run has not ended."""
    runs = [read_results(Path(folder)) for folder in folders or [config.repair.dir]]
    table = repair_table(runs)
    where = Path(config.repair.dir)
    where.mkdir(parents=True, exist_ok=True)
    write_text(where / f"{REPORT}.md", table)
    write_json(where / f"{REPORT}.json", {"runs": [{"guided_by": guided_by(each), **asdict(each)} for each in runs]})
    print(f"{table}\nrepair report: {where / REPORT}.md, {where / REPORT}.json")

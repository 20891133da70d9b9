"""Records of checkpoints, rewritten by tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snowcoder.storage.atomic import write_json
from snowcoder.storage.digest import digest_file
from snowcoder.training.checkpoints.checkpoint_record import sealed
from snowcoder.training.checkpoints.completion_record import RECORD


def vouch_for(checkpoint: Path, **changes: Any) -> None:
    """Let the record say of changed files that they are right, and whatever else."""
    record = json.loads((checkpoint / RECORD).read_text()) | changes
    for file in record["files"]:
        path = checkpoint / file["name"]
        file |= {"bytes": path.stat().st_size, "digest": digest_file(path)}
    write_json(checkpoint / RECORD, sealed({key: value for key, value in record.items() if key != "digest"}))

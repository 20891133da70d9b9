#!/usr/bin/env bash
# Daft reads later files by the schema of the first one, and what does not fit becomes null without a word.
#
# Versions: daft 0.7.26 with pyarrow 25.0.1, Python 3.11 or 3.12.
# Input: valid files of one table, as shards of a crawl are: an identity that outgrew 32 bits; a column of release names.
# Expected: the common type of all files, or an error, as pyarrow.dataset has it ("not in range").
# Seen:
#   1. parquet, int32 in the first file, int64 in the second: 2**40 is null; in the other order all is read.
#   2. A filter on the scan does not find that null (where(is_null) counts 0 rows, probably by the file's statistics, which
#      know of none); the same filter after collect() does.
#   3. JSON lines, release names that look like dates in the first file: "v1.2" in the second one is null.
# So: give the schema (infer_schema=False, schema=...): then all values are there; count nulls after collect() only.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check daft==0.7.26 pyarrow==25.0.1
cd "$place"
DAFT_ANALYTICS_ENABLED=0 DAFT_PROGRESS_BAR=0 "$place/venv/bin/python" - <<'PYTHON'
import json
import sys
from pathlib import Path

import daft
import pyarrow
import pyarrow.parquet

pyarrow.parquet.write_table(pyarrow.table({"id": pyarrow.array([1, 2], pyarrow.int32())}), "narrow.parquet")
pyarrow.parquet.write_table(pyarrow.table({"id": pyarrow.array([3, 2**40], pyarrow.int64())}), "wide.parquet")
Path("dates.jsonl").write_text(json.dumps({"release": "2026-01-31"}) + "\n")
Path("names.jsonl").write_text(json.dumps({"release": "v1.2"}) + "\n")

files = ["narrow.parquet", "wide.parquet"]
seen = {
    "int64 after int32": daft.read_parquet(files).to_pydict()["id"],
    "int32 after int64": daft.read_parquet(["wide.parquet", "narrow.parquet"]).to_pydict()["id"],
    "nulls that a filter on the scan finds": daft.read_parquet(files).where(daft.col("id").is_null()).count_rows(),
    "nulls that it finds after collect()": daft.read_parquet(files).collect().where(daft.col("id").is_null()).count_rows(),
    "name after date": [str(value) for value in daft.read_json(["dates.jsonl", "names.jsonl"]).to_pydict()["release"]],
    "date after name": daft.read_json(["names.jsonl", "dates.jsonl"]).to_pydict()["release"],
}
known = {
    "int64 after int32": [1, 2, 3, None],
    "int32 after int64": [3, 2**40, 1, 2],
    "nulls that a filter on the scan finds": 0,
    "nulls that it finds after collect()": 1,
    "name after date": ["2026-01-31", "None"],
    "date after name": ["v1.2", "2026-01-31"],
}
for what, value in seen.items():
    print(f"{what}: {value}" + ("" if value == known[what] else f", was {known[what]}"))
sys.exit(seen != known)
PYTHON

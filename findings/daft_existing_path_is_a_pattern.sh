#!/usr/bin/env bash
# Daft takes the path of a file that exists for a pattern, and reads another folder's file in its place.
#
# Versions: daft 0.7.26 with pyarrow 25.0.1, Python 3.11 or 3.12.
# Input: two folders of runs, "run[12]" and "run1", with a parquet file of one row each; absolute paths, as a program builds them.
# Expected: read_parquet of a path that exists reads that file, as pyarrow does, or there is a way to say that it is no pattern.
# Seen:
#   1. read_parquet of ".../run[12]/t.parquet" gives the rows of run1 and run2, without a word.
#   2. Python's glob.escape helps with "[", but not with braces: of ".../run{1,2}/t.parquet", escaped so, the files of run1 and
#      run2 are read, and the one of that name is not.
#   3. A backslash before each of the characters makes it the file's own name.
#   4. A schema that is given does not mend another type: int32 for a file of int64 makes null of what does not fit.
# So: escape paths with backslashes, and compare the files' own schemas before Daft reads them.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check daft==0.7.26 pyarrow==25.0.1
cd "$place"
DAFT_ANALYTICS_ENABLED=0 DAFT_PROGRESS_BAR=0 "$place/venv/bin/python" - <<'PYTHON'
import glob
import re
import sys
from pathlib import Path

import daft
import pyarrow
import pyarrow.parquet

for folder, value in (("run[12]", 12), ("run1", 1), ("run2", 2), ("run{1,2}", 99)):
    Path(folder).mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"x": [value]}), f"{folder}/t.parquet")
pyarrow.parquet.write_table(pyarrow.table({"x": pyarrow.array([3, 2**40], pyarrow.int64())}), "wide.parquet")


def read(path: str) -> list[int]:
    return sorted(daft.read_parquet(path).to_pydict()["x"])


bracket, brace = str(Path("run[12]/t.parquet").absolute()), str(Path("run{1,2}/t.parquet").absolute())
narrow = daft.read_parquet("wide.parquet", infer_schema=False, schema={"x": daft.DataType.int32()})
seen = {
    "pyarrow": pyarrow.parquet.read_table(bracket).to_pydict()["x"],
    "as it is": read(bracket),
    "glob.escape": read(glob.escape(bracket)),
    "glob.escape, braces": read(glob.escape(brace)),
    "backslashes": [*read(re.sub(r"([\[\]{}*?])", r"\\\1", bracket)), *read(re.sub(r"([\[\]{}*?])", r"\\\1", brace))],
    "int32 given for int64": narrow.to_pydict()["x"],
}
expected = {
    "pyarrow": [12],
    "as it is": [1, 2],
    "glob.escape": [12],
    "glob.escape, braces": [1, 2],
    "backslashes": [12, 99],
    "int32 given for int64": [3, None],
}
for name, value in seen.items():
    print(f"{name}: {value}")
sys.exit(seen != expected)
PYTHON

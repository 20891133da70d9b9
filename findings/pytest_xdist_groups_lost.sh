#!/usr/bin/env bash
# pytest-xdist's groups are none with pytest 9.2: tests of one group run in several workers, and nothing says so.
#
# Versions: pytest 9.2.0 with pytest-xdist 3.8.0, the newest of each; beside them pytest 9.1.1.
# Input: two files of eight short tests; all sixteen have the mark xdist_group("one"); `-n 2 --dist loadgroup`.
# Expected: all tests of a group run in one worker, so that what is made once for them is made once.
# Seen:
#   1. With pytest 9.1.1 one worker runs them all.
#   2. With pytest 9.2.0 both workers run some of them, even of one file, without a warning. xdist writes a group behind a test's
#      name, into an attribute which pytest no longer reads: since 9.2 a name is a structure, of which the text is made.
#   3. `--dist loadfile` reads the names only: with both versions each file stays in one worker.
# So: share out by file, or stay below pytest 9.2, and see the workers' numbers in `-v` once; a suite of ours made the longest
# fixtures twice for it.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
mkdir "$place/tests"
for name in first second; do
  cat > "$place/tests/test_$name.py" <<'PYTHON'
import time

import pytest

pytestmark = pytest.mark.xdist_group("one")


@pytest.mark.parametrize("number", range(8))
def test_it(number):
    time.sleep(0.2)
PYTHON
done
cd "$place"

workers() { # of the tests that match $2, run with --dist $1
  "$place/venv/bin/python" -m pytest -v -n 2 --dist "$1" -p no:cacheprovider tests | grep PASSED | grep "$2" | grep -o '\[gw[01]\]' | sort -u | wc -l
}

failed=0
check() { # what, seen, expected
  echo "$1: $2"
  [ "$2" = "$3" ] || failed=1
}
for version in 9.1.1 9.2.0; do
  "$place/venv/bin/pip" install --quiet --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0
  check "pytest $version, loadgroup: workers of the one group" "$(workers loadgroup .)" "$([ "$version" = 9.1.1 ] && echo 1 || echo 2)"
  check "pytest $version, loadfile: workers of one file" "$(workers loadfile first)" 1
done
exit $failed

#!/usr/bin/env bash
# license-expression takes a rider that forbids sale for one of SPDX's exceptions, which only permit.
#
# Version: license-expression 30.4.4, Python 3.11 or 3.12.
# Input: expressions as licence columns of code datasets have them.
# Expected: get_spdx_licensing(), "licenses and exceptions of SPDX", knows after WITH what SPDX lists as exceptions; another word
#   there is an error of validation, as a licence there is.
# Seen:
#   1. Its table also has ScanCode's own keys. LicenseRef-scancode-commons-clause is in it with is_exception=True, so that
#      "Apache-2.0 WITH LicenseRef-scancode-commons-clause" is valid, without an error.
#   2. Without validation any word is taken after WITH. In both cases `license_symbol` is Apache-2.0: who asks it for the licence,
#      for an exception takes nothing away, has a work under the Commons Clause for an Apache one.
#   3. A licence in that place is an error, as expected.
# So: accept after WITH only the identifiers of SPDX's own list of exceptions.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check license-expression==30.4.4
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import sys

from license_expression import get_spdx_licensing

spdx = get_spdx_licensing()
rider = "Apache-2.0 WITH LicenseRef-scancode-commons-clause"
seen = {
    "an exception": spdx.parse("LicenseRef-scancode-commons-clause").is_exception,
    "errors of the rider": spdx.validate(rider).errors,
    "licence of the rider": spdx.parse(rider, validate=True).license_symbol.key,
    "licence of another word": spdx.parse("Apache-2.0 WITH Commons-Clause", validate=False).license_symbol.key,
    "a licence after WITH is an error": bool(spdx.validate("Apache-2.0 WITH MIT").errors),
}
expected = {
    "an exception": True,
    "errors of the rider": [],
    "licence of the rider": "Apache-2.0",
    "licence of another word": "Apache-2.0",
    "a licence after WITH is an error": True,
}
for name, value in seen.items():
    print(f"{name}: {value}")
sys.exit(seen != expected)
PYTHON

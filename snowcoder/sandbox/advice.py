"""What to do where bubblewrap cannot shut a program in, by what it says."""

from __future__ import annotations

import re

_APPARMOR = "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04)"
_CLONE = "sysctl kernel.unprivileged_userns_clone=1 (Debian 10)"
_COUNT = "sysctl user.max_user_namespaces=15000 (RHEL, and where their number is used up)"
_DOCKER = "docker run --security-opt seccomp=unconfined --cap-add SYS_ADMIN ... (in a container)"
_PYTHON = "name another by evaluation.pythons, or start snowcoder with another"
_NAMESPACES = f"the right to make namespaces: {_APPARMOR}; {_CLONE}; {_COUNT}; {_DOCKER}"
_ALL = f"It needs bubblewrap 0.8 or newer, and {_NAMESPACES}"
_SEES = "In the sandbox are /usr, the folders of the Python, and what their links lead to"
# The first that fits; an error that fits none gets all that may help.
_ADVICE = {
    r"[Uu]nknown option|unrecognized option": "It needs bubblewrap 0.8 or newer: `bwrap --version` tells which this is",
    r"shared librar|shared object": f"{_SEES}, and where its libraries were loaded from: {_PYTHON}",
    r"execvp|failed to execute|No module named 'encodings'|init_fs_encoding": (
        f"{_SEES}, as far as all users may read it; `namei -l PYTHON` shows that: {_PYTHON}"
    ),
    r"mount proc": (
        "It needs a /proc of its own: docker run --security-opt systempaths=unconfined --security-opt "
        "seccomp=unconfined ... (in a container; Kubernetes: procMount: Unmasked)"
    ),
    r"uid map|gid map": f"It needs the right to make user namespaces: {_APPARMOR}",
    r"No space left|ENOSPC": f"It needs the right to make more namespaces: {_COUNT}",
    r"namespace|not permitted|[Pp]ermission denied": f"It needs {_NAMESPACES}",
    r"longer than": "The machine answers too slowly: try again when it does less",
}


def why_not(error: str, python: str) -> str:
    """The message for an error, in a line."""
    advice = next((text for pattern, text in _ADVICE.items() if re.search(pattern, error)), _ALL)
    told = f"sandbox: bubblewrap cannot shut a program in here: {error.rstrip('.')}. "
    return told + advice.replace("PYTHON", python)

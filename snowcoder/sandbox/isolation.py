"""The command line that shuts a process in: bubblewrap, and as root two more steps to be nobody.

Namespaces of its own for processes, network, mounts, IPC and host name; of the host it sees /usr and a Python, both
read-only, and no environment. What it may write is /tmp and /dev/shm, in memory and limited. It is nobody, in a user
namespace of its own: there the kernel counts its processes apart from those of all others (RLIMIT_NPROC).
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from snowcoder.errors import UserError
from snowcoder.sandbox.links import Needed, links_in, needed
from snowcoder.sandbox.program import Limits

_NOBODY = "65534"
_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "MPLBACKEND": "Agg",  # no display
    "PYTHONHASHSEED": "0",  # the same order of sets in every run
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread a library: programs run side by side, and threads count as processes.
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")},
}
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64")  # to /usr, on most systems
_SETTINGS = ("ld.so.cache", "alternatives", "localtime", "mime.types", "fonts")  # of /etc; nothing there is secret
_VISIBLE = ("/usr", *(f"/{name}" for name in _LINKS), *(f"/etc/{name}" for name in _SETTINGS))
_PROBE = """
import json, sys
maps = [line.split(None, 5) for line in open("/proc/self/maps")]
libraries = sorted({fields[5].strip() for fields in maps if ".so" in fields[-1]})
executables = [sys.executable, getattr(sys, "_base_executable", None) or sys.executable]
print(json.dumps([executables, sys.version, [sys.base_prefix, sys.prefix], sys.path, libraries]))
"""


class Interpreter(NamedTuple):
    executable: str
    version: str
    needed: Needed  # outside of what every program sees
    library_path: str  # what LD_LIBRARY_PATH must be for it to start; empty: nothing
    site_packages: tuple[str, ...]


@functools.cache
def interpreter(python: str, folders: tuple[str, ...] = ()) -> Interpreter:
    """Where a Python and its packages lie, and `folders` beside them. Raises UserError if it does not run."""
    # Preloaded libraries are no part of a Python, and their folders may be anything.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    try:
        done = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"sandbox: {python} does not run ({error}); name a Python 3.11 or newer") from None
    executables, version, prefixes, path, libraries = json.loads(done.stdout)
    loaded = {os.path.dirname(library) for library in libraries}
    searched = [each for each in environment.get("LD_LIBRARY_PATH", "").split(":") if os.path.realpath(each) in loaded]
    others = [path for folder in folders for path in (folder, *links_in(folder))]
    return Interpreter(
        executables[0],
        version,
        needed([*executables, *prefixes, *sorted(loaded), *searched, *others], _VISIBLE),
        ":".join(searched),
        tuple(each for each in path if each.endswith("-packages")),
    )


def command(python: Interpreter, limits: Limits, boot: str, descriptors: list[int]) -> list[str]:
    """Runs `boot` with the numbers of the given descriptors as its arguments."""
    size = str(limits.disk_mib << 20)
    isolated = [
        *("bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"),
        *(word for name, value in _environment(python).items() for word in ("--setenv", name, value)),
        *("--ro-bind", "/usr", "/usr", *_links(), "--dir", "/etc"),  # bubblewrap alone makes it one that root may pass
        *(word for name in _SETTINGS for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")),
        *("--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"),
        *("--remount-ro", "/dev", "--perms", "1777", "--size", size, "--tmpfs", "/tmp"),
        *(word for path in python.needed.ends for word in _in_folders(path, "--ro-bind", path)),  # may lie in /tmp
        *(word for link, target in python.needed.links for word in _in_folders(link, "--symlink", target)),
        *("--remount-ro", "/", "--chdir", "/tmp"),
    ]
    # -P and -S: nothing is imported by itself, neither from the working folder nor by a .pth file.
    inner = [python.executable, "-s", "-P", "-S", "-c", boot, *map(str, descriptors)]
    if os.geteuid():
        return [*isolated, "--unshare-user", "--disable-userns", "--uid", _NOBODY, "--gid", _NOBODY, "--", *inner]
    # Root's processes are not limited in number. bubblewrap, as root, opens folders that nobody could not reach.
    nobody = ["--reuid", _NOBODY, "--regid", _NOBODY, "--clear-groups", "--no-new-privs", "--inh-caps=-all"]
    return [*isolated, "--", "setpriv", *nobody, "unshare", "--user", *inner]


def _environment(python: Interpreter) -> dict[str, str]:
    found = {**_ENVIRONMENT, "PATH": f"{Path(python.executable).parent}:/usr/bin:/bin"}  # programs call `python`
    return found | ({"LD_LIBRARY_PATH": python.library_path} if python.library_path else {})


def _links() -> list[str]:
    words = []
    for name in _LINKS:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _in_folders(path: str, word: str, source: str) -> list[str]:
    """`path` made from `source`, with its parents as empty folders that anybody may pass."""
    parents = [str(parent) for parent in reversed(Path(path).parents) if len(parent.parts) > 1]
    return [*(word for parent in parents for word in ("--dir", parent)), word, source, path]

"""What a path needs to be found where little is: the links on its way, and the place where it ends."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_MOST_LINKS = 40  # as the kernel has it


class Needed(NamedTuple):
    links: tuple[tuple[str, str], ...]  # path of the link, and what it says
    ends: tuple[str, ...]  # folders and files, none inside another


def needed(paths: Iterable[str], visible: tuple[str, ...]) -> Needed:
    """All that must be there for `paths` to lead where they lead here; what is `visible` is there already."""
    links: dict[str, str] = {}
    ends: list[str] = []
    for path in paths:
        passed, end = follow(path)
        links |= passed
        ends.append(end)
    outer: list[str] = []
    for end in sorted(ends):
        if not _inside(end, (*visible, *outer)):
            outer.append(end)
    hidden = {link: target for link, target in links.items() if not _inside(link, (*visible, *outer))}
    return Needed(tuple(hidden.items()), tuple(outer))


def follow(path: str) -> tuple[dict[str, str], str]:
    """Each link that an absolute path passes, in its folders and at its end, and where it leads."""
    links: dict[str, str] = {}
    at, todo = Path("/"), deque(Path(path).parts[1:])
    while todo and len(links) < _MOST_LINKS:
        step = at / todo.popleft()
        if step.name == "..":
            at = at.parent
        elif step.is_symlink():
            links[str(step)] = os.readlink(step)
            target = at / links[str(step)]  # at itself where it is absolute
            todo.extendleft(reversed(target.parts[1:]))
            at = Path("/")
        else:
            at = step
    return links, str(at)


def links_in(folder: str) -> list[str]:
    """Links below a folder whose ends are there: Debian's JDK keeps its settings in /etc."""
    found = [os.path.join(root, name) for root, folders, files in os.walk(folder) for name in (*folders, *files)]
    return [path for path in found if os.path.islink(path) and os.path.exists(path)]


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)

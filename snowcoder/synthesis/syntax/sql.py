"""Whether a script is SQL, of whichever dialect.

Two parsers know much of the SQL of several databases, none knows all of one: tree-sitter's, and sqlparser-rs, which is
stricter and knows more. A script that neither reads whole is read by statements. Queries, changes of rows, and tables
and indices must parse; other statements, where dialects have little in common, and bodies of procedures must begin with
a verb of SQL and have brackets and quotes in pairs.
"""

from __future__ import annotations

import re

from snowcoder.synthesis.syntax import sqlparser
from snowcoder.synthesis.syntax.trees import is_clean

_DELIMITER = re.compile(r"^[ \t]*DELIMITER[ \t]+(\S+)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_CLIENT = re.compile(  # lines that are for a database's shell: psql's \c, sqlite3's .mode, GO of sqlcmd, / of SQL*Plus
    r"^[ \t]*(?:\\.*|\.[a-z].*|GO(?:[ \t]+\d+)?[ \t]*;?|/|PROMPT\b.*"
    r"|SET[ \t]+(?:DEFINE|ECHO|FEEDBACK|HEADING|LINESIZE|PAGESIZE|SERVEROUTPUT|VERIFY)\b.*)[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|^[ \t]*\#[^\n]*|/\*.*?\*/)
    |'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | \[[^\[\]\n]*\]
    |(?P<dollar>(?<!\w)\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollar)
    |(?P<open>[(\[]) | (?P<close>[)\]]) | (?P<stray>'|"|`|/\*|(?<!\w)\$(?:[A-Za-z_]\w*)?\$) | (?P<end>;)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_MUST_PARSE = re.compile(
    r"(?:SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|CREATE\s+(?:TEMP\w*\s+)?(?:TABLE|VIEW|(?:UNIQUE\s+)?INDEX))\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"""(?:ALTER|ANALY[SZ]E|ATTACH|AUDIT|BACKUP|BEGIN|CALL|CHECKPOINT|CHECKSUM|CLOSE|CLUSTER|COMMENT|COMMIT|COPY|CREATE
    |DBCC|DEALLOCATE|DECLARE|DENY|DESC|DESCRIBE|DETACH|DISABLE|DISCARD|DO|DROP|ENABLE|END|EXEC|EXECUTE|EXPLAIN|FETCH
    |FLASHBACK|FLUSH|GRANT|HANDLER|IF|IMPORT\s+FOREIGN|KILL|LISTEN|LOAD|LOCK|MERGE|NOTIFY|OPEN|OPTIMIZE|PRAGMA|PREPARE
    |PRINT|PURGE|RAISERROR|REASSIGN|REFRESH|REINDEX|RELEASE|RENAME|REPAIR|REPLACE|RESET|RESTORE|RETURN|REVERT|REVOKE
    |ROLLBACK|SAVE|SAVEPOINT|SECURITY|SHOW|SHUTDOWN|SIGNAL|START|STOP|TABLE|THROW|TRUNCATE|UNLISTEN
    |UNLOCK|USE|VACUUM|WAITFOR|WHILE|XA)\b | SET\s+[\w@"`\[]""",
    re.IGNORECASE | re.VERBOSE,
)
_ROUTINE = re.compile(  # what begins statements within which others end
    r"(?:(?:CREATE|ALTER)\s+(?:\S+\s+){0,6}?(?:PROC|PROCEDURE|FUNCTION|TRIGGER|PACKAGE|EVENT|TYPE)|DECLARE|BEGIN|IF|WHILE)\b",
    re.IGNORECASE,
)
_LAST = re.compile(r"\bEND(?:\s+\w+)?\s*\Z", re.IGNORECASE)


def is_sql(code: str) -> bool:
    """False also of what a parser is not done with in time."""
    try:
        return _parses(code) or _are_statements(_statements(_without_client(code)) or [])
    except sqlparser.TooLong:
        return False


def _parses(code: str) -> bool:
    return is_clean(code, "SQL") or sqlparser.is_taken(code)


def _without_client(code: str) -> str:
    """As a server sees it: what a client's line ended, or another delimiter than a semicolon, is ended by one."""
    first, *rest = _DELIMITER.split(code)
    parts = [body if mark == ";" else body.replace(mark, ";") for mark, body in zip(rest[::2], rest[1::2], strict=True)]
    return _CLIENT.sub(";", "".join([first, *parts]))


def _statements(code: str) -> list[str] | None:
    """What stands between semicolons, without comments. None where a bracket or quote lacks its other half."""
    found, depth, end = [[""]], 0, 0
    for token in _TOKEN.finditer(code):
        kind = token.lastgroup
        depth += (kind == "open") - (kind == "close")
        if depth < 0 or kind == "stray" or (kind == "end" and depth):
            return None
        found[-1] += [code[end : token.start()], " " if kind in ("comment", "end") else token[0]]
        end = token.end()
        if kind == "end":
            found.append([])
    found[-1].append(code[end:])
    return None if depth else [text for text in ("".join(parts).strip() for parts in found) if text]


def _are_statements(statements: list[str]) -> bool:
    in_routine = False
    for statement in statements:
        in_routine = in_routine or bool(_ROUTINE.match(statement))
        if not in_routine and not _is_statement(statement):
            return False
        in_routine = in_routine and not _LAST.search(statement)
    return bool(statements)


def _is_statement(text: str) -> bool:
    return _parses(text) if _MUST_PARSE.match(text) else bool(_VERB.match(text))

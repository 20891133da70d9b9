"""Code as tree-sitter's grammars have it, of code that they refuse though it is right.

Each is tried only where the grammar refuses what was written, and leaves brackets and quotes as they are, so that what
lacks one is refused still.
"""

from __future__ import annotations

import re

_STRING = r"""(?:"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')"""
_MACRO = r"\b[A-Z][A-Z0-9_]{2,100}\b"
_ARGUMENTS = rf"""[ \t]*\((?:[^()"'{{}};]|{_STRING}|\((?:[^()"'{{}};]|{_STRING})*\))*\)"""
_MACROS = re.compile(
    rf"""(?P<literal>//[^\n]*|/\*.*?(?:\*/|\Z)|{_STRING}|["'][^\n]*)
    |^[ \t]*{_MACRO}(?:{_ARGUMENTS})?[ \t]*;?[ \t]*$           # BEGIN_NAMESPACE
    |(?P<head>^[ \t]*{_MACRO}{_ARGUMENTS}(?=\s*\{{))           # TEST_CASE("of this") {{
    |{_MACRO}(?=[ \t]+\w+[ \t*&]+\w)                         # EXPORT int f();
    |(?:(?<=\bclass[ ])|(?<=\bstruct[ ])){_MACRO}(?=[ ]\w)    # class EXPORT A {{
    |(?<=\))\s+{_MACRO}(?:{_ARGUMENTS})?(?=\s*[;{{])           # void f() REQUIRES(lock) {{
    |(?<=\w)\s+{_MACRO}{_ARGUMENTS}(?=\s*[;=])                # int a GUARDED_BY(lock);""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?P<name>if|elif|else|endif)\w*\b(?P<rest>(?:\\\r?\n|[^\n])*)\n?", re.MULTILINE)
_KOTLIN_BRACE = re.compile(
    r"""(?P<literal>//[^\n]*|/\*.*?(?:\*/|\Z)|\"{3}.*?(?:\"{3}|\Z)|"(?:\$\{[^{}"\n]*\}|[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)')
    |\}(?P<member>[ \t]+(?=(?:(?:private|internal|override)[ ])?(?:fun|val|var|class|object|companion|init)\b))?""",
    re.DOTALL | re.VERBOSE,
)
_KOTLIN = [  # what the grammar lacks besides
    (re.compile(r";(?=\s*(?:(?:private|protected|internal)\s+)?[gs]et\b)"), "\n"),
    (re.compile(r"(?<=\w)\?(?=::)"), ""),  # String?::plus
    (re.compile(r"(?<==)(\s*)\[\s*\]"), r"\1[0]"),
    (re.compile(r'\$\$+(?=")'), ""),
]
_TYPESCRIPT = [  # what the grammar of TypeScript 5.0 to 5.9 lacks
    (re.compile(r"\bexport\s+type\s+(?=\*)"), "export "),
    (re.compile(r"\bimport\s+type\s+(?=\w+\s*=)"), "import "),
    (re.compile(r"(?<=[<,])(\s*)(?:in\s+|out\s+){1,2}(?=[A-Z])"), r"\1"),  # variance of a type parameter
    (re.compile(r"\baccessor\s+(?=[\w#\[])"), ""),
    (re.compile(r"\bstatic\s+(?=(?:readonly\s+)?\[\w+\s*:)"), ""),
    (re.compile(r"""(?<=["'])\s+(?:assert|with)\s*\{[^{}]{0,500}\}"""), ""),  # how a module is imported
]


def without_macros(code: str) -> str:
    """C without what only a preprocessor can tell, by the custom that names of macros are upper-case."""
    return _MACROS.sub(_unmacro, _first_branches(code))


def _unmacro(match: re.Match[str]) -> str:
    if match["literal"]:
        return match[0]
    return "void f()" if match["head"] else ""


def _first_branches(code: str) -> str:
    """Without the directives of conditional compilation: of each condition what is compiled if it holds."""
    kept: list[str] = []
    taken: list[bool] = []  # of each condition around a place, whether all is kept there
    end = 0
    for directive in _DIRECTIVE.finditer(code):
        is_kept = not taken or taken[-1]
        if is_kept:
            kept.append(code[end : directive.start()])
        end = directive.end()
        if directive["name"] == "if":
            taken.append(is_kept and directive["rest"].strip() != "0")
        elif taken and directive["name"] == "endif":
            taken.pop()
        elif taken:
            taken[-1] = False
    return "".join([*kept, code[end:]])


def older_kotlin(code: str) -> str:
    """Also with each closing brace on a line of its own, as members end at a line's end in the grammar."""
    return _KOTLIN_BRACE.sub(_on_line, _replaced(code, _KOTLIN))


def _on_line(match: re.Match[str]) -> str:
    return match["literal"] or ("\n}\n" if match["member"] else "\n}")


def older_typescript(code: str) -> str:
    return _replaced(code, _TYPESCRIPT)


def _replaced(code: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        code = pattern.sub(replacement, code)
    return code

"""Whether a header is in C, C++ or Objective-C, of which its name says nothing.

Linguist asks whether any line begins as C++ does: a comment's words make it C++, and so does what a header for both
languages has between `#ifdef __cplusplus` and `#endif`; a struct with methods is C. Here comments, strings and those
parts do not count, and what C cannot hold does.
"""

from __future__ import annotations

import re

from snowcoder.corpus.languages.statements import by_modeline

HEADER = ("C", "C++", "Objective-C")  # in the order of `languages_of_name`
_READ, _HEAD = 16 << 10, 8 << 10  # characters: of the file, and of the code in them
_NOT_CODE = re.compile(
    r"""(\#[ \t]*(?:include|import)[ \t]*[<"][^>"\n]*[>"])  # kept
    | /\*.*?(?:\*/|\Z) | //[^\n]*
    | "(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'?  # without an end, so that no end is sought twice
    """,
    re.DOTALL | re.VERBOSE,
)
_DECLARED = re.compile(r"^[^#\n]*\w", re.MULTILINE)  # anything but directives: else all of it is for C++
_CONDITION = re.compile(r"[ \t]*#[ \t]*(if|ifdef|ifndef|else|elif|endif)\b(.*)")

Signs = list[tuple[str, re.Pattern[str]]]  # a word that is there if the pattern matches, and the pattern


def _signs(*rows: tuple[str, str]) -> Signs:
    return [(word, re.compile(pattern, re.MULTILINE)) for word, pattern in rows]


_OBJECTIVE_C = _signs(
    ("@", r"^[ \t]*@(?:class|end|implementation|import|interface|optional|property|protocol|required)\b"),
    ("import", r"^[ \t]*#[ \t]*import\b"),
)
_COCOA = _signs(  # C++ has these too
    ("NS", r"\bNS(?:_ENUM|_OPTIONS|_ASSUME_NONNULL_BEGIN|Array|Data|Dictionary|Error|U?Integer|Object|String)\b"),
)
_CPP = _signs(
    ("include", r'#[ \t]*include[ \t]*(?:<[\w/+-]+>|[<"][^>"\n]+\.(?:hh|hpp|hxx)[>"])'),
    ("template", r"\btemplate\s*<"),
    ("class", r"^[ \t]*class[ \t]+\w|\bclass\s+\w+\s*[;{:]"),
    ("namespace", r"^[ \t]*(?:inline[ \t]+|using[ \t]+)?namespace(?:[ \t]+\w|\s*\{)"),
    ("using", r"^[ \t]*using[ \t]+\w"),
    (":", r"^[ \t]*(?:public|private|protected|signals)(?:[ \t]+\w+)?[ \t]*:"),
    ("::", r"\w::[~\w]"),
    ("_cast", r"\b(?:static|dynamic|const|reinterpret)_cast[ \t]*<"),
    ("operator", r"(?<![.>\w])operator\s*(?:[^\w\s;,)]{1,3}|\(\s*\)|new|delete|bool)\s*\("),
    ("virtual", r"\bvirtual\s+[~\w]"),
    ("~", r"(?:^|[;{}:])[ \t]*~\w+\s*\(\s*(?:void)?\s*\)"),
    ("enum", r"\benum\s+(?:class|struct)\b"),
    ("constexpr", r"\bconstexpr\b"),
    ("nullptr", r"=\s*nullptr\b"),
    ("noexcept", r"\bnoexcept\b"),
    ("decltype", r"\bdecltype\b"),
    ("this", r"\bthis\s*->"),
    ("explicit", r"\bexplicit\s+\w+\s*\("),
    ("friend", r"\bfriend\s+\w"),
    ("override", r"\)[\w\s]{0,40}\boverride\s*[;{]"),
    ("delete", r"\)[\w\s]{0,40}=\s*delete\s*;"),
    ("default", r"\)[\w\s]{0,40}=\s*default\s*;"),
    ("const", r"\)\s*const\s*(?:=\s*0\s*)?[;{]|\bconst\s*&\s*\w|\bconst\s+\w+\s*&\s*\w"),
    ("&", r"^[ \t]*(?!return\b|else\b|case\b)\w+[ \t*]+\w+[ \t]*\([ \t]*\w+[ \t]*&[ \t]*\w+[ \t]*[,)]"),  # a reference
    ("struct", r"\bstruct\s+\w+(?:\s+final)?\s*:\s*\w"),  # a base
    ("struct", r"\bstruct\s+(\w+)\s*\{[^}]{0,999}[\s;]\1\s*\("),  # a constructor
    (">", r"\w<[\w: ]+[*&]?>[ \t]*[&*]?[ \t]*\w+[ \t]*[;,)(={]"),
    ("=", r"[(,]\s*(?:const\s+)?\w+[\s*&]+\w+\s*=\s*[\w.:-]+(?:\(\))?\s*\)"),  # a default of a parameter
)


def language_of_header(content: str) -> str:
    """`C`, where the text is good C as far as is seen; else `C++` or `Objective-C`."""
    stated = by_modeline(content)
    if stated in HEADER[1:]:  # editors' modes for C are set for C++ too
        return stated
    code = code_for_c(content)
    if has_sign(_OBJECTIVE_C, code):
        return "Objective-C"
    if has_sign(_CPP, code):
        return "C++"
    return "Objective-C" if has_sign(_COCOA, code) else "C"


def looks_like_cpp(content: str) -> bool:
    return has_sign(_CPP, code_for_c(content))


def code_for_c(content: str) -> str:
    """The beginning of the code that a compiler for C sees, without comments and strings."""
    code = _NOT_CODE.sub(r"\1 ", content[:_READ])
    part = _without_cpp_parts(code) if "__cplusplus" in code else code
    return (part if _DECLARED.search(part) else code)[:_HEAD]


def has_sign(signs: Signs, code: str) -> bool:
    return any(word in code and pattern.search(code) for word, pattern in signs)


def _without_cpp_parts(code: str) -> str:
    kept: list[str] = []
    parts: list[bool | None] = []  # of open conditions: this part is for C++ alone; for C too; the condition is another
    for line in code.split("\n"):
        condition = _CONDITION.match(line)
        if condition is None:
            if True not in parts:
                kept.append(line)
        elif condition[1].startswith("if"):
            parts.append(_is_for_cpp(condition))
        elif parts:
            part = parts.pop()
            if condition[1] == "else":
                parts.append(None if part is None else not part)
            elif condition[1] == "elif":
                parts.append(_is_for_cpp(condition))
    return "\n".join(kept)


def _is_for_cpp(condition: re.Match[str]) -> bool | None:
    before, named, _ = condition[2].partition("__cplusplus")
    return not (condition[1] == "ifndef" or "!" in before) if named else None

"""The comments at a file's head, before its first line of code: where a file says what it is."""

from __future__ import annotations

import re
from typing import NamedTuple


class _Syntax(NamedTuple):
    lines: tuple[str, ...] = ()  # what begins a comment that ends with its line
    blocks: tuple[tuple[str, str], ...] = ()  # what begins a comment, and what ends it


_STAR, _MARKUP = ("/*", "*/"), ("<!--", "-->")
_DOCSTRINGS = tuple((f"{prefix}{quotes}", quotes) for quotes in ('"""', "'''") for prefix in ("", "r", "R"))
_C = _Syntax(("//",), (_STAR,))
_FAMILIES = (
    ("C,C++,C#,Objective-C,Objective-C++,Java,JavaScript,TypeScript,Go,Rust,Kotlin,Swift,Scala,Dart,Groovy", _C),
    ("Protocol Buffer,SCSS,Less,Solidity,Zig,D,Verilog,SystemVerilog,GLSL,Cuda,Prisma,CSS,QML,ANTLR", _C),
    ("Python,Cython,Starlark", _Syntax(("#",), _DOCSTRINGS)),
    ("Shell,YAML,TOML,Makefile,CMake,Dockerfile,Elixir,Tcl,R,Nix,Meson,Awk,GraphQL,Text,Crystal", _Syntax(("#",))),
    ("Ruby", _Syntax(("#",), (("=begin", "=end"),))),
    ("Perl,Raku", _Syntax(("#",), (("=", "=cut"),))),
    ("Julia,Nim", _Syntax(("#",), (("#=", "=#"), ("#[", "]#")))),
    ("PowerShell", _Syntax(("#",), (("<#", "#>"),))),
    ("PHP,HCL,Thrift,Jsonnet", _Syntax(("//", "#"), (_STAR,))),
    ("Assembly", _Syntax(("//", "#", ";", "@", "!", "|"), (_STAR,))),
    ("SQL", _Syntax(("--", "#"), (_STAR,))),
    ("Haskell,Cabal Config,Elm,PureScript,Agda", _Syntax(("--",), (("{-", "-}"),))),
    ("Lua", _Syntax(("--",), (("--[[", "]]"),))),
    ("Ada,VHDL", _Syntax(("--",))),
    ("Common Lisp,Emacs Lisp,Scheme,Racket,Clojure,LLVM,INI", _Syntax((";", "#"), (("#|", "|#"),))),
    ("TeX,Erlang,MATLAB,PostScript", _Syntax(("%",))),
    ("Prolog", _Syntax(("%",), (_STAR,))),
    ("Fortran", _Syntax(("!", "C ", "c ", "*"))),
    ("OCaml,Standard ML,Coq,Pascal,F#", _Syntax(("//",), (("(*", "*)"), ("{", "}")))),
    ("HTML,XML,Markdown,SVG,XSLT", _Syntax((), (_MARKUP,))),
    ("Vue,Svelte", _Syntax(("//",), (_STAR, _MARKUP))),
    ("reStructuredText", _Syntax((".. ",))),
    ("M4", _Syntax(("dnl", "#"))),
    ("Vim Script", _Syntax(('"',))),
    ("Visual Basic .NET,VBA", _Syntax(("'", "REM "))),
    ("Batchfile", _Syntax(("REM ", "rem ", "::", "@REM ", "@rem "))),
    ("Roff,Roff Manpage", _Syntax(('.\\"', "'\\\""))),
    ("JSON", _Syntax(('"//', '"_', '"$comment', "//"), (_STAR,))),  # a key that stands for a comment
    ("Jupyter Notebook", _Syntax()),
    # What these say at their head is said of what is made with them.
    ("HTML+ERB,HTML+ECR,EJS,Mustache,Handlebars,Jinja,Liquid,Twig,Blade,Smarty,FreeMarker,Mako,Go Template", _Syntax()),
)
_ANY = _Syntax(("//", "#", "--", ";", "%"), (_STAR, _MARKUP))
_SYNTAX = {language: syntax for languages, syntax in _FAMILIES for language in languages.split(",")}

# What may stand before such a comment: it names the file's surroundings, and does nothing yet.
_NO_CODE = re.compile(
    r"""\#!|\#\s*(?:if|ifdef|ifndef|define|undef|endif|else|error|line|pragma|include|import|nullable)\b|\#!?\[
    |(?:package|module|namespace|import|use|using|extern|require(?:_once)?|include(?:_once)?(?!!)|library|syntax)\b
    |(?:option|declare|set|goog|cabal-version)\b
    |class\s.*:$|from\s+\S+\s+import\b|["']use\s\w+["'];?$|<\?|<(?:!doctype|html|head|meta|title|link)\b
    |---|%YAML|[{(\[]$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPACE = re.compile(r"[\s\ufeff]*")
_QUOTED = re.compile(r"\s*[*/#!;-]+\s+[\"'`]?(?://|#|/\*)\s*[@\w]")  # a comment in a comment: an example of one
_DECORATION = ".:\\ \t\r*/#;!%-=|+~<>{(\"'"
_DECORATION_BEHIND = " \t\r*/#|+=-\"'"


def preamble(head: str, language: str) -> str:
    """The comments, a line for a line, without what marks them; other lines are empty.

    A language that is not known here may have any of the usual comments.
    """
    syntax, lines, at = _SYNTAX.get(language, _ANY), list[str](), 0
    while at < len(head):
        start = _SPACE.match(head, at).end()  # type: ignore[union-attr]
        lines += [""] * (head.count("\n", at, start) - 1)
        if end := _comment_end(head, start, syntax):
            lines += _stripped(head[start:end])
        elif _NO_CODE.match(line := head[start : _line_end(head, start)]):
            lines.append("")
            end = start + len(line)
        else:
            break
        at = end
    return "\n".join(lines)


def _comment_end(head: str, at: int, syntax: _Syntax) -> int:
    """0: no comment begins here."""
    for opening, closing in syntax.blocks:
        if head.startswith(opening, at):
            end = head.find(closing, at + len(opening))
            return end + len(closing) if end >= 0 else len(head)
    return _line_end(head, at) if head.startswith(syntax.lines, at) else 0


def _line_end(head: str, at: int) -> int:
    end = head.find("\n", at)
    return end if end >= 0 else len(head)


def _stripped(comment: str) -> list[str]:
    lines = ("" if _QUOTED.match(line) else line for line in comment.split("\n"))
    return [line.lstrip(_DECORATION).rstrip(_DECORATION_BEHIND) for line in lines]

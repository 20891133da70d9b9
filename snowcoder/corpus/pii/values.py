"""Where the value of a name stands: the ways in which languages and formats write an assignment.

Each expression is matched at the end of a name; `rest` is what is left of the name. None looks far, so that the cost is
linear whatever the text.
"""

from __future__ import annotations

import re

_REST = r"(?P<rest>[\w-]{0,40}+)"
_SPACE = r"[ \t]{0,4}(?:\\?\r?\n[ \t]{0,40})?"  # the value may stand on the next line
# string; &'static str; Option<String>; str | None; string[]
_TYPE = r"(?:&(?:'\w{1,10} )?)?[\w.<>\[\]&]{1,40}+[?!*]?(?:\s?\|\s?[\w.<>\[\]]{1,30}+){0,3}"
_TYPED = (
    rf"(?:[!?]?\s?:\s?{_TYPE}\s?(?==(?!=))"  # Python, TypeScript, Kotlin, Scala, Swift, Rust
    r"|[ \t]{1,4}(?:string|\[\]byte)[ \t]{0,4}(?==)"  # Go
    r"|\[\w{0,20}\]\s?(?==)"  # C
    r"|\s?\{ ?get;[^{}=]{0,30}\}\s?(?==))"  # C#
)
_SIGN = (
    r"(?:=>|:=|\|\|=|\?\?=|={1,3}|:|,(?:\s{0,4}default\s?=)?(?![ \t]{0,4}[\r\n])|(?:\.equals)?\(|\{|value=)"
    r"|\)?\s?(?:\|\||\?\?|\?:|\bor\b)|\)?\.(?:unwrap_or|or_?[eE]lse|getOrElse)\("  # where the environment has none
    r"|\bto\b"
)
# What a string is wrapped into, or the reading of a variable whose default it is.
_CALL = (
    r"(?:new )?(?:Some|Just|(?:std::)?[sS]tring(?:::from|::new|\.valueOf)?|\w{0,20}Text|\[\](?:byte|rune)|str|bytes|"
    r"text|(?:Optional\.)?of|Secret(?:Str|String)?|GuardedString|_?T|TEXT|Q\w{1,16}|Buffer\.from)?\(\s{0,40}"
)
_CAST = r"\((?:const )?\w{1,16} ?\*?\) ?"
_OTHERWISE = r"[\w.:?]{1,40}+(?:\([^()\n]{0,60}\)|\[[^\[\]\n]{0,60}\])?\s?(?:\|\||\?\?|\?:|\bor\b)\s?"
_READ = r"[\w.:]{0,30}(?:env|environ|get\w{0,12}|fetch|config)\([\"'][\w.-]{1,60}[\"'],\s?"

QUOTED = re.compile(
    rf"{_REST}(?P<closed>\\?[\"'\]]{{0,2}})(?:{_TYPED}?{_SPACE}(?:{_SIGN}){_SPACE}|[ \t]{{1,8}})"
    rf"(?:{_CAST}|{_OTHERWISE}|{_READ}|{_CALL})?"
    r"[&*]?[brfuBRFUNL@$]{0,2}(?P<quote>\"{3}|'{3}|\\?[\"'`])(?P<value>[^\"'`\s\\]{6,200})(?P=quote)"
)
ELEMENT = re.compile(rf"{_REST}>\s{{0,20}}(?P<value>[^<>\s]{{6,200}})\s{{0,20}}</")
# Of a connection, "Server=db;Password=...;": but not a statement, so the name is the whole of it.
PART = re.compile(
    r"(?:(?<=[;\"']pwd)|(?<=[;\"']password))(?P<rest>)=(?P<value>[^\s\"'`;\\()]{6,80})(?=;)", re.IGNORECASE
)
# Of an address, where & ends it; of a command line, of a container's environment.
_OPTION = r"(?P<rest>)=(?P<value>[^\s\"'`;&\\()<>]{6,80})"
OPTIONS = [
    re.compile(rf"(?:(?<=[?&]pwd)|(?<=[?&]password)){_OPTION}(?=[\s\"'`;&]|\Z)", re.IGNORECASE),
    re.compile(rf"(?:(?<=--password)|(?<=--PASSWORD)|(?<=_PASSWORD)){_OPTION}(?=[\s\"'`;]|&&?\s|\Z)"),
]
BARE = re.compile(
    r"(?P<rest>[\w.-]{0,40}+)[ \t]{0,4}(?:=|:(?![-=]))[ \t]{0,4}(?P<value>[^\s\"'`()\[\],;\\]{6,200})"
    r"(?=[,;]?(?:\s|\Z)|[,;][\w-]{1,40}+=)"
)
# password: |
#   the value
BLOCK = re.compile(
    rf"{_REST}:[ \t]{{1,4}}[|>][+-]?[ \t]{{0,4}}\r?\n[ \t]{{1,40}}(?P<value>\S{{6,200}})[ \t]{{0,8}}(?=[\r\n]|\Z)"
)

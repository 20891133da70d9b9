"""What `snowcoder --help` and `snowcoder help VERB` print."""

from __future__ import annotations

import textwrap
from pathlib import Path

from snowcoder import __version__
from snowcoder.readable import first_sentence
from snowcoder.verbs import VERBS, Verb

_WIDTH = 110


def usage() -> str:
    """All verbs, a line each."""
    return "\n".join(
        [
            f"snowcoder {__version__}: snowcoder <verb> [arguments] group=choice key=value ...",
            "",
            *map(_line, VERBS),
            "",
            "`snowcoder help VERB` says more of one. Groups and keys: the folder conf/; `snowcoder config show` prints",
            "what they come to, `snowcoder config explain KEY` what they mean.",
        ]
    )


def help_of(names: list[str]) -> str:
    """Of one verb all that there is to say; of several a line each."""
    return _page(names[0], VERBS[names[0]]) if len(names) == 1 else "\n".join(map(_line, names))


def form(name: str) -> str:
    """How a verb is called."""
    verb = VERBS[name]
    return f"{name} {verb.arguments}".strip() + ("" if verb.reads == "folder" else " [key=value ...]")


def _line(name: str) -> str:
    verb = VERBS[name]
    return f"  {f'{name} {verb.arguments}'.strip():<45}{verb.help}"


def _page(name: str, verb: Verb) -> str:
    facts = {"reads": verb.inputs, "writes": verb.outputs, "config": ", ".join(verb.groups)}
    facts |= {"needs": f"pip install 'snowcoder[{verb.extra}]'" if verb.extra else ""}
    facts |= {"example": verb.example, "next": f"snowcoder {verb.next}" if verb.next else ""}
    lines = [_wrapped(f"  {fact + ':':<10}", text) for fact, text in facts.items() if text]
    return "\n".join([f"snowcoder {form(name)}", "", _wrapped("  ", _purpose(verb)), "", *lines])


def _purpose(verb: Verb) -> str:
    """The first sentence of its module, which is not imported for it."""
    import ast  # late: `snowcoder --help` needs none of it

    path = Path(__file__).parent.joinpath(*verb.target.partition(":")[0].split(".")[1:]).with_suffix(".py")
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    text = first_sentence(" ".join(said.partition("`: ")[2].partition("\n\n")[0].split()))
    return text[:1].upper() + text[1:]


def _wrapped(label: str, text: str) -> str:
    return "\n".join(
        textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=label,
            subsequent_indent=" " * len(label),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )

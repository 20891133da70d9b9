"""The command `snowcoder`: one verb per stage, `snowcoder <verb> [arguments] group=choice key=value`."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import sys

from snowcoder import __version__
from snowcoder.errors import SnowcoderError, UserError, did_you_mean
from snowcoder.packages import explained
from snowcoder.usage import form, help_of, usage
from snowcoder.verbs import VERBS, of_group

_OVERRIDE = r"[~+]|[\w./]+="


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit: 0 done, 2 the user's mistake, 1 an operational failure, 141 nobody reads the output."""
    _open_standard_streams()
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except OSError as error:
        if _can_print():
            raise  # it is of another file, or of a connection
        code = _end_output(error)
    if code:
        sys.exit(code)


def _open_standard_streams() -> None:
    """A closed one (`>&-`) becomes /dev/null: the next file would get its number, and what libraries print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)


def _can_print() -> bool:
    try:
        print(flush=True)  # what could not be written is no longer in the buffer: an empty line tells
    except OSError:
        return False
    return True


def _end_output(error: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
    if isinstance(error, BrokenPipeError):  # `snowcoder ... | head`: nobody is to be told
        return 128 + signal.SIGPIPE
    print(f"snowcoder: the output cannot be written: {error.strerror}", file=sys.stderr)
    return 1


def _run(words: list[str]) -> int:
    """The exit status of a command."""
    try:
        asked = [word for word in words if word not in ("-h", "--help")]
        if asked[:1] in ([], ["help"]) or len(asked) < len(words):
            asked = asked[asked[:1] == ["help"] :]
            print(help_of(_names(asked)) if asked else usage())
        elif words[0] in ("-V", "--version"):
            print(f"snowcoder {__version__}")
        else:
            _call(words)
    except SnowcoderError as error:
        print(f"snowcoder: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("snowcoder: interrupted", file=sys.stderr)
        return 130
    return 0


def _name(words: list[str]) -> str | None:
    return next((name for name in (" ".join(words[:2]), words[0]) if name in VERBS), None)


def _names(words: list[str]) -> list[str]:
    """The verb that help is asked of, or all that begin with its word."""
    name = _name(words)
    names = [name] if name else of_group(words[0])
    if not names or (not name and len(words) > 1):
        raise UserError(_unknown(words))
    return names


def _call(words: list[str]) -> None:
    name = _name(words)
    if name is None:
        raise UserError(_unknown(words))
    verb, rest = VERBS[name], words[len(name.split()) :]
    overrides = [word for word in rest if re.match(_OVERRIDE, word)]
    positional = [word for word in rest if word not in overrides]
    low, high = _arity(verb.arguments)
    if not low <= len(positional) <= high:
        near = did_you_mean(" ".join(words[:2]), [other for other in of_group(words[0]) if other != name])
        raise UserError(f"usage: snowcoder {form(name)}; got {positional}{near}")
    if verb.reads == "folder" and overrides:
        raise UserError(f"`snowcoder {name}` takes no overrides; got {' '.join(overrides)}")
    with explained(name):
        _start(name, overrides, positional)


def _start(name: str, overrides: list[str], positional: list[str]) -> None:
    verb = VERBS[name]
    module, function = verb.target.split(":")
    target = getattr(importlib.import_module(module), function)
    if verb.reads == "config":
        from snowcoder.config.compose import load_config  # late: with hydra and the schema it takes half a second

        done = target(load_config(overrides), *positional)
    elif verb.reads == "overrides":
        done = target(overrides, *positional)
    else:
        done = target(*positional)
    if verb.next and done is not False:
        told = [word for word in overrides if "notify." not in word]  # its command may hold a private address
        print(f"next: {shlex.join(['snowcoder', *verb.next.split(), *told])}")


def _unknown(words: list[str]) -> str:
    typed = " ".join(word for word in words[:2] if not re.match(_OVERRIDE, word))
    names = of_group(words[0])
    near = did_you_mean(typed, names or list(VERBS)) or did_you_mean(words[0], [name.split()[0] for name in VERBS])
    if names:
        kinds = ", ".join(name.partition(" ")[2] for name in names)
        return f"`snowcoder {words[0]}` is followed by one of: {kinds}{near if typed != words[0] else ''}"
    return f"unknown verb {typed!r}{near}; `snowcoder --help` lists all"


def _arity(arguments: str) -> tuple[int, float]:
    words = arguments.split()
    required = sum("[" not in word for word in words)
    return required, float("inf") if "..." in arguments else len(words)

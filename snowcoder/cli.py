"""The command `snowcoder`: one verb per stage, `snowcoder <verb> [arguments] group=choice key=value`."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import sys
from typing import Literal, NamedTuple

from snowcoder import __version__
from snowcoder.errors import SnowcoderError, UserError, did_you_mean
from snowcoder.packages import explained

_OVERRIDE = r"[~+]|[\w./]+="


class Verb(NamedTuple):
    target: str  # module:function; called with the config (where it takes one) and the arguments. False: not all done
    arguments: str
    help: str
    next: str = ""  # the verb that goes on from what this one made
    reads: Literal["config", "overrides", "folder"] = "config"  # overrides: composes several; folder: no conf/ at all


VERBS = {
    "config show": Verb("snowcoder.config.show:run", "", "print the composed config"),
    "config check": Verb("snowcoder.config.check:run", "", "report every problem of the config"),
    "config explain": Verb("snowcoder.config.explain:run", "[KEY]", "what a group or a key means", reads="overrides"),
    "corpus pack": Verb("snowcoder.corpus.pack:run", "SOURCE...", "pack repositories into raw shards", "corpus build"),
    "corpus build": Verb("snowcoder.corpus.build:run", "", "raw shards to clean documents", "tokenizer train"),
    "corpus report": Verb("snowcoder.corpus.report:run", "", "write a page of what each rule of the build took"),
    "tokenizer train": Verb("snowcoder.tokenization.train:run", "", "train a tokenizer from shards", "index build"),
    "index build": Verb("snowcoder.index.build:run", "[SOURCE...]", "tokenize shards into .bin/.idx files", "plan"),
    "index verify": Verb("snowcoder.index.verify:run", "", "read the index back and check it"),
    "index peek": Verb("snowcoder.index.peek:run", "SOURCE [DOCUMENT [COUNT [EPOCH]]]", "show documents as text"),
    "annotate train": Verb("snowcoder.annotation.train:run", "", "train the quality annotator", "annotate score"),
    "annotate score": Verb("snowcoder.annotation.score:run", "", "score every file of the corpus", "annotate select"),
    "annotate select": Verb("snowcoder.annotation.select:run", "", "index the best files of each language", "plan"),
    "annotate inspect": Verb("snowcoder.annotation.inspect:run", "", "show the best and the worst files"),
    "annotate study": Verb("snowcoder.annotation.study:run", "", "compare annotators by ROC-AUC on benchmarks"),
    "synthesize": Verb("snowcoder.synthesis.synthesize:run", "", "training data by a language model", "index build"),
    "synthesize report": Verb("snowcoder.synthesis.report:run", "", "write a page of what each step took"),
    "plan": Verb("snowcoder.planning.plan:run", "", "print and write the plan: step -> samples", "train"),
    "train": Verb("snowcoder.training.train:run", "", "train the phases of `phase=`", "export"),
    "export": Verb("snowcoder.export.export:run", "", "write the checkpoint in Hugging Face format", "evaluate"),
    "evaluate": Verb("snowcoder.evaluation.evaluate:run", "", "score exported models on code benchmarks"),
    "evaluate check": Verb("snowcoder.evaluation.check:run", "", "score the benchmarks' own solutions", "evaluate"),
    "finetune": Verb("snowcoder.finetuning.finetune:run", "", "teach the exported model to answer instructions"),
    "import": Verb("snowcoder.export.from_hf:run", "FOLDER", "start a run from a Hugging Face Llama", "plan"),
    "ablate": Verb("snowcoder.ablation.ablate:run", "[dry]", "train the variants of `ablation=`", reads="overrides"),
    "status": Verb("snowcoder.report.status:run", "RUN [json]", "where a run stands", reads="folder"),
    "doctor": Verb(
        "snowcoder.doctor.doctor:run", "", "check all that a run needs, before nodes are asked for", "train"
    ),
    "report": Verb("snowcoder.report.report:run", "RUN", "write RUN/report.html", reads="folder"),
    "demo": Verb("snowcoder.demo.demo:run", "", "all stages on this machine", reads="folder"),
}


def usage() -> str:
    lines = [f"  {f'{name} {verb.arguments}'.strip():<45}{verb.help}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            f"snowcoder {__version__}: snowcoder <verb> [arguments] group=choice key=value ...",
            "",
            *lines,
            "",
            "Groups and keys: the folder conf/. `snowcoder config show` prints what they come to.",
        ]
    )


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
        if not words or words[0] == "help" or {"-h", "--help"} & {*words}:
            print(usage())
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


def _call(words: list[str]) -> None:
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in VERBS), None)
    if name is None:
        raise UserError(_unknown(words))
    verb, rest = VERBS[name], words[len(name.split()) :]
    overrides = [word for word in rest if re.match(_OVERRIDE, word)]
    positional = [word for word in rest if word not in overrides]
    low, high = _arity(verb.arguments)
    if not low <= len(positional) <= high:
        form = f"{name} {verb.arguments}".strip() + ("" if verb.reads == "folder" else " [key=value ...]")
        near = did_you_mean(" ".join(words[:2]), [other for other in _of_group(words[0]) if other != name])
        raise UserError(f"usage: snowcoder {form}; got {positional}{near}")
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
    names = _of_group(words[0])
    near = did_you_mean(typed, names or list(VERBS)) or did_you_mean(words[0], [name.split()[0] for name in VERBS])
    if names:
        kinds = ", ".join(name.partition(" ")[2] for name in names)
        return f"`snowcoder {words[0]}` is followed by one of: {kinds}{near if typed != words[0] else ''}"
    return f"unknown verb {typed!r}{near}; `snowcoder --help` lists all"


def _of_group(group: str) -> list[str]:
    return [name for name in VERBS if name.split()[0] == group]


def _arity(arguments: str) -> tuple[int, float]:
    words = arguments.split()
    required = sum("[" not in word for word in words)
    return required, float("inf") if "..." in arguments else len(words)

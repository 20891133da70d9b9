"""The command `snowcoder`: one verb per stage, `snowcoder <verb> [arguments] group=choice key=value`."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Literal, NamedTuple

from snowcoder import __version__
from snowcoder.config.compose import load_config
from snowcoder.errors import SnowcoderError, UserError
from snowcoder.packages import explained


class Verb(NamedTuple):
    target: str  # module:function; called with the config (where it takes one) and the arguments
    arguments: str
    help: str
    reads: Literal["config", "overrides", "folder"] = "config"  # overrides: composes several; folder: no conf/ at all


VERBS = {
    "config show": Verb("snowcoder.config.verbs:show", "", "print the composed config"),
    "config check": Verb("snowcoder.config.verbs:check", "", "report every problem of the config"),
    "corpus pack": Verb("snowcoder.corpus.pack:run", "SOURCE...", "pack repositories and archives into raw shards"),
    "corpus build": Verb("snowcoder.corpus.build:run", "", "raw shards to clean documents"),
    "corpus report": Verb("snowcoder.corpus.report:run", "", "write a page of what each rule of the build took"),
    "tokenizer train": Verb("snowcoder.tokenization.train:run", "", "train a tokenizer from shards"),
    "index build": Verb("snowcoder.index.build:run", "[SOURCE...]", "tokenize shards into .bin/.idx files"),
    "index verify": Verb("snowcoder.index.verify:run", "", "read the index back and check it"),
    "index peek": Verb("snowcoder.index.peek:run", "SOURCE [DOCUMENT [COUNT [EPOCH]]]", "show documents as text"),
    "annotate train": Verb("snowcoder.annotation.train:run", "", "train the quality annotator"),
    "annotate score": Verb("snowcoder.annotation.score:run", "", "score every file of the corpus"),
    "annotate select": Verb("snowcoder.annotation.select:run", "", "index the best files of each language"),
    "annotate inspect": Verb("snowcoder.annotation.inspection:run", "", "show the best and the worst files"),
    "annotate study": Verb("snowcoder.annotation.study:run", "", "compare annotators by ROC-AUC on benchmarks"),
    "synthesize": Verb("snowcoder.synthesis.stage:run", "", "training data that a language model writes"),
    "synthesize report": Verb("snowcoder.synthesis.report:run", "", "write a page of what each step took"),
    "plan": Verb("snowcoder.mixture.stage:run", "", "print and write the plan: step -> samples"),
    "train": Verb("snowcoder.training.launch:run", "", "train the phases of `phase=`"),
    "export": Verb("snowcoder.export.to_hf:run", "", "write the checkpoint in Hugging Face format"),
    "evaluate": Verb("snowcoder.evaluation.run:run", "", "score exported models on code benchmarks"),
    "evaluate check": Verb("snowcoder.evaluation.check:run", "", "score the benchmarks' own solutions"),
    "finetune": Verb("snowcoder.finetuning.run:run", "", "teach the exported model to answer instructions"),
    "import": Verb("snowcoder.export.from_hf:run", "FOLDER", "start a run from a Hugging Face Llama"),
    "ablate": Verb("snowcoder.ablation.run:run", "[dry]", "train the variants of `ablation=`", reads="overrides"),
    "status": Verb("snowcoder.report.status:run", "RUN [json]", "where a run stands", reads="folder"),
    "doctor": Verb("snowcoder.doctor.run:run", "", "check all that a run needs, before nodes are asked for"),
    "report": Verb("snowcoder.report.html:run", "RUN", "write RUN/report.html", reads="folder"),
    "demo": Verb("snowcoder.demo.run:run", "", "all stages on this machine", reads="folder"),
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
    """Run one verb and exit: 0 done, 2 the user's mistake, 1 an operational failure."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if words[0] in ("-V", "--version"):
        print(f"snowcoder {__version__}")
        return
    try:
        _call(words)
    except SnowcoderError as error:
        print(f"snowcoder: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("snowcoder: interrupted", file=sys.stderr)
        sys.exit(130)


def _call(words: list[str]) -> None:
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in VERBS), None)
    if name is None:
        raise UserError(f"unknown verb {' '.join(words[:2])!r}\n{usage()}")
    verb, rest = VERBS[name], words[len(name.split()) :]
    overrides = [word for word in rest if re.match(r"[~+]|[\w./]+=", word)]
    positional = [word for word in rest if word not in overrides]
    low, high = _arity(verb.arguments)
    if not low <= len(positional) <= high:
        raise UserError(f"usage: snowcoder {f'{name} {verb.arguments}'.strip()} [key=value ...]; got {positional}")
    with explained(name):
        _start(name, overrides, positional)


def _start(name: str, overrides: list[str], positional: list[str]) -> None:
    verb = VERBS[name]
    module, function = verb.target.split(":")
    target = getattr(importlib.import_module(module), function)
    if verb.reads == "config":
        target(load_config(overrides), *positional)
    elif verb.reads == "overrides":
        target(overrides, *positional)
    elif overrides:
        raise UserError(f"`snowcoder {name}` takes no overrides; got {' '.join(overrides)}")
    else:
        target(*positional)


def _arity(arguments: str) -> tuple[int, float]:
    words = arguments.split()
    required = sum("[" not in word for word in words)
    return required, float("inf") if "..." in arguments else len(words)

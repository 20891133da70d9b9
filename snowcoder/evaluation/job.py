"""Exports one checkpoint of a running training and evaluates it: `python -m snowcoder.evaluation.job RESOLVED STEP`.

What it makes lies in `evaluated/step-<n>/` below the run; the events tell the scores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from snowcoder.config.frozen import read_config
from snowcoder.config.schema import Config
from snowcoder.errors import SnowcoderError
from snowcoder.evaluation import evaluate
from snowcoder.export import export
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.packages import explained
from snowcoder.training.events import Events


def main() -> None:
    config, step = read_config(Path(sys.argv[1])), int(sys.argv[2])
    try:
        with explained("evaluate"):
            run(config, step)
    except SnowcoderError as error:
        print(f"snowcoder: {error}", file=sys.stderr)
        Events(config).add("warning", f"evaluation failed: {str(error).splitlines()[0]}", step)
        sys.exit(error.exit_code)


def run(config: Config, step: int) -> None:
    config = _of_step(config, step)
    export.run(config)
    evaluate.run(config)
    results = json.loads((Path(config.evaluation.dir) / evaluate.RESULTS).read_text())
    scores = [
        f"{each['level']} {'' if k == '1' else f'pass@{k} '}{100 * found['value']:.1f}"
        for each in results["results"]
        for k, found in each["pass_at"].items()
    ]
    scores += [f"{each['of']} {each['bits_per_byte']['value']:.3f} bits/byte" for each in results["bits_per_byte"]]
    Events(config).add("evaluated", ", ".join(scores), step)


def _of_step(config: Config, step: int) -> Config:
    """In a folder of its own, by processes of this machine."""
    folder = RunFolder.of(config).evaluated / f"step-{step:08d}"
    model = folder / "hf"
    return config.model_copy(
        update={
            "launch": config.launch.model_copy(update={"kind": "local", "python": []}),
            "export": config.export.model_copy(update={"dir": str(model), "step": step}),
            "evaluation": config.evaluation.model_copy(
                update={"dir": str(folder / "evaluation"), "models": {f"step-{step}": str(model)}}
            ),
        }
    )


if __name__ == "__main__":
    main()

"""Entry point of one rank: `python -m snowcoder.training.rank.worker TASK resolved.yaml [ARGUMENTS]`."""


def main() -> None:
    import os
    import sys

    from snowcoder.packages import explained
    from snowcoder.training.rank import signals
    from snowcoder.training.rank.ending import end_rank, leave
    from snowcoder.training.rank.environment import die_with_parent, name_rank
    from snowcoder.training.rank.pulse import Pulse

    signals.hold()
    die_with_parent()
    os.register_at_fork(after_in_child=die_with_parent)  # no writer of a checkpoint outlives its rank
    rank = name_rank()
    pulse = Pulse(rank)
    try:
        with explained("train"):
            _work(*sys.argv[1:])
    except Exception as error:
        end_rank(rank, pulse, error)
    pulse.end()
    leave(0)


def _work(target: str, resolved: str, *arguments: str) -> None:
    import importlib
    from pathlib import Path

    from snowcoder.config.frozen import read_config
    from snowcoder.training.rank.environment import tune_cuda
    from snowcoder.training.rank.light_imports import light_imports
    from snowcoder.training.rank.pulse import doing

    config = read_config(Path(resolved))
    tune_cuda(config)
    module, function = target.split(":")
    doing("importing torch and megatron-core")
    with light_imports():
        from snowcoder.model import platform

        platform.install()
        from snowcoder.training.rank.process_groups import process_groups

        run = getattr(importlib.import_module(module), function)
    doing("joining the other ranks")
    with process_groups(config):
        run(config, *arguments)


if __name__ == "__main__":
    main()

"""Entry point of one rank: `python -m snowcoder.training.rank.worker TASK resolved.yaml [ARGUMENTS]`.

Nothing is imported at the top: saving a checkpoint re-imports this module in a helper process.
"""


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

    from snowcoder.config.compose import read_config
    from snowcoder.training.rank.pulse import doing

    doing("importing torch and megatron-core")
    from snowcoder.model import platform

    platform.install()
    from snowcoder.training.rank.process_groups import process_groups

    config = read_config(Path(resolved))
    module, function = target.split(":")
    doing("joining the other ranks")
    with process_groups(config):
        getattr(importlib.import_module(module), function)(config, *arguments)


if __name__ == "__main__":
    main()
elif (
    __name__ == "__mp_main__"
):  # a helper of a save: it would outlive its rank, or die of a signal before the save ends
    from snowcoder.training.rank import signals
    from snowcoder.training.rank.environment import die_with_parent

    die_with_parent()
    signals.hold()

"""Entry point of one rank: `python -m snowcoder.training.worker TASK resolved.yaml [ARGUMENTS]`.

Nothing is imported at the top: saving a checkpoint re-imports this module in a helper process.
"""


def main() -> None:
    import sys

    from snowcoder.errors import SnowcoderError
    from snowcoder.training.environment import die_with_parent, name_rank

    die_with_parent()
    rank = name_rank()
    try:
        _work(*sys.argv[1:])
    except SnowcoderError as error:
        if rank == 0 or error.exit_code == 1:
            print(f"snowcoder: rank {rank}: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)


def _work(task: str, resolved: str, *arguments: str) -> None:
    import importlib
    from pathlib import Path

    from snowcoder.config.compose import read_config
    from snowcoder.training import platform

    platform.install()
    from snowcoder.training.parallel import process_groups

    config = read_config(Path(resolved))
    module, function = task.split(":")
    with process_groups(config):
        getattr(importlib.import_module(module), function)(config, *arguments)


if __name__ == "__main__":
    main()

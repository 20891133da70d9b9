"""A rank imports what it trains with, and no package of which it uses nothing."""

import subprocess
import sys

IMPORTS = """
import gc, sys
from snowcoder.config.frozen import read_config
from snowcoder.training.rank.light_imports import light_imports
with light_imports():
    from snowcoder.model import platform
    platform.install()
    import snowcoder.training.train_on_rank
print(*sorted({"boto3", "hydra", "tensorboard", "transformers", "wandb"} & set(sys.modules)), gc.isenabled())
import torch.utils.tensorboard  # a tracker, when it is asked for
print("tensorboard" in sys.modules)
"""


def test_a_rank_imports_nothing_that_it_does_not_use_and_trackers_can_be_had_later() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:2] == ["True", "True"], done.stdout + done.stderr

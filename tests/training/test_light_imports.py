"""A rank imports what it trains with, and no package of which it uses nothing."""

import subprocess
import sys
from importlib import metadata

from packaging.utils import canonicalize_name

from docs.packages import direct, installed_by

IMPORTS = """
import gc, sys
from snowcoder.config.frozen import read_config
from snowcoder.training.rank.light_imports import light_imports
with light_imports():
    from snowcoder.model import platform
    platform.install()
    import snowcoder.training.train_on_rank
print(*{name.partition(".")[0] for name, module in sys.modules.items() if module})
print(gc.isenabled())
import torch.utils.tensorboard  # a tracker, when it is asked for
print("tensorboard" in sys.modules)
"""


def test_a_rank_imports_nothing_that_it_does_not_use_and_trackers_can_be_had_later() -> None:
    """None of other roles (daft, scipy, matplotlib, transformers, tree-sitter, ...), and not all of its own."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORTS], capture_output=True, text=True, check=False)
    modules, *after = done.stdout.splitlines()
    assert after == ["True", "True"], done.stdout + done.stderr
    owners = metadata.packages_distributions()
    imported = {canonicalize_name(name) for module in modules.split() for name in owners.get(module, [])}
    assert {"torch", "megatron-core", "numpy"} <= imported
    others = direct().keys() - installed_by("train").keys()
    assert len(others) > 40
    assert imported & (others | {"boto3", "hydra-core", "tensorboard"}) == set()

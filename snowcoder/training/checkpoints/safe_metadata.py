"""Checkpoints may come from where others can write, and parts of their format are pickles: none may run code.

`.metadata` is a plain pickle, which torch loads without looking. It is read here first, by an unpickler that knows a
checkpoint's own classes alone. All else goes through torch.load, which is held to `weights_only`. What a newer torch or
megatron-core wrote may be unreadable here, and is no less a checkpoint: whose it is, its record says.
"""

from __future__ import annotations

import io
import os
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.api import CheckpointException

from snowcoder.errors import OperationError, SnowcoderError
from snowcoder.training.checkpoints.written_by import too_old_here

_METADATA = ".metadata"
_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_PACKAGE = "torch.distributed.checkpoint"
_ALLOWED = {
    f"{_PACKAGE}.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    f"{_PACKAGE}.planner": {"BytesIOWriteData", "SavePlan", "TensorWriteData", "WriteItem", "WriteItemType"},
    f"{_PACKAGE}.filesystem": {"_StorageInfo", "_StoragePrefix"},
    "torch.serialization": {"_get_layout"},
    "collections": {"OrderedDict"},
    "torch": {"Size", *(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))},
}


class _Forbidden(Exception):
    """What the pickle would call."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in _ALLOWED.get(module, ()):
            raise _Forbidden(f"{module}.{name}")
        return super().find_class(module, name)


@contextmanager
def safe_loading(checkpoint: Path) -> Iterator[None]:
    """Load a checkpoint within: one that would run code is an `OperationError` before it does."""
    _check_metadata(checkpoint / _METADATA)
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        with torch.serialization.safe_globals([io.BytesIO]):  # Transformer Engine's state
            yield
    except (pickle.UnpicklingError, CheckpointException) as error:
        raise _told(checkpoint, error) from None
    except SnowcoderError:
        raise
    except Exception as error:
        if told := too_old_here(checkpoint, error):
            raise told from error
        raise
    finally:
        os.environ.pop(_FORCE)
        if before is not None:
            os.environ[_FORCE] = before


def _check_metadata(path: Path) -> None:
    try:
        with path.open("rb") as file:
            _Unpickler(file).load()
    except _Forbidden as error:
        newer = too_old_here(path.parent, error) if _may_be_new(str(error)) else None
        raise newer or _refusal(path.parent, f"{path.name} would call {error}") from None
    except Exception as error:  # whatever a pickle of any bytes comes to
        newer = too_old_here(path.parent, error)
        raise newer or _refusal(path.parent, f"{path.name} is no metadata ({type(error).__name__})") from None


def _may_be_new(name: str) -> bool:
    """Whether a newer version may have put it there: a class or function of torch's or megatron-core's own."""
    return name.startswith(("torch.", "megatron.core."))


def _refusal(checkpoint: Path, why: str) -> OperationError:
    return OperationError(
        f"{checkpoint} is not loaded: {why}. It was not written by snowcoder as it is: find out who can write there, "
        "and remove it; the run then goes on from the checkpoint before it"
    )


def _told(checkpoint: Path, error: BaseException) -> OperationError:
    """What torch refused; what happens while it reads comes wrapped, rank by rank."""
    if isinstance(error, CheckpointException):
        inner = [failure[0] for failure in error.failures.values()]
        error = next((found for found in inner if isinstance(found, pickle.UnpicklingError)), inner[0])
    if not isinstance(error, pickle.UnpicklingError):
        told = OperationError(f"{checkpoint} cannot be loaded: {type(error).__name__}: {error}")
        return too_old_here(checkpoint, error) or told
    found = re.search(r"GLOBAL (\S+)", str(error))
    newer = too_old_here(checkpoint, error) if found and _may_be_new(found[1]) else None
    why = f"it would call {found[1]}" if found else "it holds more than tensors and numbers"
    return newer or _refusal(checkpoint, why)

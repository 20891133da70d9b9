"""The tensors of a Hugging Face folder, read one at a time."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import torch
from safetensors import safe_open

from snowcoder.errors import UserError

_INDEX = "model.safetensors.index.json"


class Tensors:
    """`get` reads a tensor by name from the folder's safetensors. Pickled weights are not read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = files_of(folder)
        self._opened = ExitStack()
        handles = [self._opened.enter_context(safe_open(path, "pt")) for path in self.files]
        self._handles = {name: handle for handle in handles for name in handle.keys()}  # noqa: SIM118

    @property
    def names(self) -> list[str]:
        return sorted(self._handles)

    def get(self, name: str) -> torch.Tensor:
        if name not in self._handles:
            raise UserError(f"{self.folder} has no tensor {name}: it is not a whole Llama")
        return self._handles[name].get_tensor(name)

    def __enter__(self) -> Tensors:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()


def files_of(folder: Path) -> list[Path]:
    """The safetensors files of a Hugging Face folder."""
    index = folder / _INDEX
    if index.is_file():
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    else:
        names = ["model.safetensors"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)}: snowcoder reads weights from safetensors only")
    return [folder / name for name in names]

"""The tensors of a Hugging Face folder, read one at a time."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from snowcoder.errors import UserError
from snowcoder.pretrained.damage import open_safetensors, read_object, shorten

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
ADAPTER = "adapter_config.json"
# Which converters leave out of the files, where it is the embedding's or made from rope_theta, and not of the index.
# Of a model that needs it, its absence is told by who knows the model.
_MAY_LACK = ("lm_head.weight", ".rotary_emb.inv_freq")
_ONLY = "snowcoder reads weights from safetensors only"


class Tensors:
    """`get` reads a tensor by name from the folder's safetensors. Pickled weights are not read.

    `problems` has a line for each thing that is damaged or missing; what is whole can be read all the same. With the
    framework "np" only headers can be read, but torch is not imported.
    """

    def __init__(self, folder: Path, framework: str = "pt") -> None:
        self.folder, self.framework = folder, framework
        self.files: list[Path] = []
        self.problems: list[str] = []
        self._opened = ExitStack()
        self._handles: dict[str, Any] = {}
        if (folder / ADAPTER).exists():
            self.problems.append(
                f"it has {ADAPTER}: merge the adapter into the model (PEFT's merge_and_unload), or take it away"
            )
        try:
            promised = _promised(folder)
        except UserError as problem:
            promised = {}
            self.problems.append(str(problem))
        if missing := [name for name in promised if not os.path.lexists(folder / name)]:
            self.problems.append(f"it lacks {shorten(missing)}, which {INDEX} names")
        for name in sorted(promised.keys() - missing):
            self._add(folder / name, promised[name])

    def _add(self, path: Path, promised: set[str]) -> None:
        self.files.append(path)
        try:
            handle = self._opened.enter_context(open_safetensors(path, self.framework))
        except UserError as problem:
            self.problems.append(str(problem))
            return
        found = set(handle.keys())
        if lacking := {name for name in promised - found if not name.endswith(_MAY_LACK)}:
            self.problems.append(f"{path.name} lacks {shorten(lacking)}, which {INDEX} says it has: copy both again")
        if twice := found & self._handles.keys():
            self.problems.append(f"{path.name} has {shorten(twice)} once more: another file has that already")
        self._handles.update(dict.fromkeys(found, handle))

    @property
    def names(self) -> list[str]:
        return sorted(self._handles)

    def dtype(self, name: str) -> str:
        """In the words of safetensors: F32, BF16, F8_E4M3 and so on."""
        return str(self._handles[name].get_slice(name).get_dtype())

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._handles[name].get_slice(name).get_shape())

    def get(self, name: str) -> torch.Tensor:
        """[out, in] or [hidden], in the file's dtype. Raises UserError where the folder has no such tensor."""
        if name not in self._handles:
            raise UserError(f"{self.folder} has no tensor {name}: it is not a whole Llama")
        tensor: torch.Tensor = self._handles[name].get_tensor(name)
        return tensor

    def __enter__(self) -> Tensors:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()


def damage(folder: Path) -> list[str]:
    """What is damaged or missing of a folder's weights, a line each; of the files only the headers are read."""
    with Tensors(folder, "np") as tensors:
        return tensors.problems


def _promised(folder: Path) -> dict[str, set[str]]:
    """The files of a folder's weights, and of each the tensors that the index says it has. Raises UserError."""
    is_whole = os.path.lexists(folder / WEIGHTS)  # a link that leads nowhere is named as what it is
    if not os.path.lexists(folder / INDEX):
        if not is_whole:
            raise UserError(_without_weights(folder))
        return {WEIGHTS: set()}
    promised: dict[str, set[str]] = {}
    for tensor, name in _weight_map(folder / INDEX).items():
        promised.setdefault(name, set()).add(tensor)
    if is_whole and WEIGHTS not in promised:
        raise UserError(f"it has {WEIGHTS}, and {INDEX} of other files: remove what is left from another model")
    return promised


def _weight_map(index: Path) -> dict[str, str]:
    found = read_object(index).get("weight_map")
    if not isinstance(found, dict) or not found or not all(isinstance(name, str) for name in found.values()):
        raise UserError(f"{INDEX} has no weight_map from tensors to files: copy it again")
    if outside := {name for name in found.values() if Path(name).name != name}:
        raise UserError(f"{INDEX} leads out of its folder, to {shorten(outside)}: only files beside it are read")
    return found


def _without_weights(folder: Path) -> str:
    if shards := [path.name for path in folder.glob("*.safetensors")]:
        return f"it has {shorten(shards)}, but no {INDEX}, which says what is in them: copy that, too"
    if pickles := [path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern)]:
        return f"it lacks {WEIGHTS} and has only {shorten(pickles)}: {_ONLY}, as pickles run code; convert it"
    return f"it lacks {WEIGHTS}: {_ONLY}"

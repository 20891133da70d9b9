"""Models that transformers loads: whole, from safetensors, without code of theirs; or one line that says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snowcoder.errors import UserError
from snowcoder.pretrained.damage import one_line, read_object, shorten
from snowcoder.pretrained.tensors import damage

# `ignore_mismatched_sizes`: they are told with the rest; transformers would name them in a warning only.
_HOW = {
    "use_safetensors": True,
    "trust_remote_code": False,
    "output_loading_info": True,
    "ignore_mismatched_sizes": True,
}
_SETTINGS = ("generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def load_whole(loader: Any, place: str | Path, **how: Any) -> Any:
    """A model of a folder or of the hub. Raises UserError if any of its tensors is not used, or any is made up.

    transformers would begin with random numbers where tensors are missing, and only warn.
    """
    model, found = load_model(loader, place, **how)
    if any(found.values()):
        told = "; ".join(f"{kind}: {shorten(names)}" for kind, names in found.items() if names)
        raise UserError(f"{place} is not a whole {type(model).__name__}: transformers reports {told}")
    return model


def load_model(loader: Any, place: str | Path, **how: Any) -> tuple[Any, dict[str, set[str]]]:
    """And the names of its missing keys, unexpected keys and mismatched keys. Raises UserError."""
    if problems := folder_problems(Path(place)):
        raise UserError(f"{place} is not a model that transformers can load: {'; '.join(problems)}")
    model, found = load_part(lambda: loader.from_pretrained(place, **_HOW, **how), place)
    return model, {
        "missing keys": set(found["missing_keys"]),
        "unexpected keys": set(found["unexpected_keys"]),
        "mismatched keys": {name for name, *_ in found["mismatched_keys"]},
    }


def load_part(load: Callable[[], Any], place: str | Path) -> Any:
    """What `load` returns. Raises UserError for whatever it stumbles over, of a folder or of the hub."""
    try:
        with quiet():
            return load()
    except Exception as error:  # its parts raise what they like: KeyError, TypeError, SafetensorError, ...
        raise UserError(f"{place} is not a model that transformers can load: {one_line(error)}") from None


def folder_problems(folder: Path) -> list[str]:
    """What is damaged or missing of a model's folder, a line each; of a place that is no folder, nothing."""
    if not folder.is_dir():
        return []
    problems = damage(folder)
    for path in [folder / "config.json", *(folder / name for name in _SETTINGS if (folder / name).exists())]:
        try:
            read_object(path)
        except UserError as problem:
            problems.append(str(problem))
    return problems


@contextmanager
def quiet() -> Iterator[None]:
    """Without what transformers says meanwhile: that a head is new, how many files it has read."""
    from transformers.utils import logging  # not at the top: to look at folders does not need it, and it takes seconds

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()

"""Safetensors files in our form: they say what they hold, carry its digest, and are checked before they are used."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from anymask.errors import ConfigError, WeightsError

State = dict[str, Tensor]
"""Tensors by name."""
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""What weights may be stored in."""
DIGEST = "content_sha256"
"""The note that holds the digest of all others and of the tensors."""


def write_safe(path: Path, state: State, notes: Mapping[str, str]) -> None:
    """Write tensors and notes with their digest; whatever was at `path` stays whole until the end.

    Raises: WeightsError when the file cannot be written, or a tensor is not finite.
    """
    state = {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.items()}
    check_finite(state, f"{path} not written")
    written = {**notes, "format": "pt"}
    written[DIGEST] = content_digest(written, state)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(state, temporary, written)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write {path}: {error}; what was there before is unchanged") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_safe(path: Path) -> tuple[State, dict[str, str]]:
    """The tensors and notes of any safetensors file, whoever wrote it; a digest is not looked at.

    Raises: WeightsError when it is damaged.
    """
    with _opened(path) as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})


def read_notes(path: Path) -> dict[str, str]:
    """The notes alone, without reading the tensors.

    Raises: WeightsError when the file is damaged.
    """
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file: {error}; get it again") from error


def check_digest(path: Path, state: State, notes: Mapping[str, str]) -> None:
    """Passes a file whose content is what it was when it was written.

    Raises: WeightsError when the digest is missing or another.
    """
    if notes.get(DIGEST) != content_digest({k: v for k, v in notes.items() if k != DIGEST}, state):
        raise WeightsError(f"{path} does not hash to the sha256 it carries; it is damaged: get it again")


def content_digest(notes: Mapping[str, str], state: Mapping[str, Tensor]) -> str:
    """Hex sha256 of texts and tensors, names, dtypes and shapes included, in the order of their names."""
    digest = hashlib.sha256(json.dumps(sorted(notes.items())).encode())
    for name in sorted(state):
        tensor = state[name].detach().to("cpu").contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_depths(plain: Any, most: int) -> None:
    """Passes a configuration of plain values that claims no more layers, all together, than its file has tensors.

    Raises: ConfigError naming the fields.
    """
    claimed = _depths(plain)
    if sum(claimed.values()) > most:
        told = ", ".join(f"{key} {value}" for key, value in claimed.items())
        raise ConfigError(f"the layers claimed are too many ({told}): the file has {most} tensors")


def _depths(plain: Any, within: str = "") -> dict[str, int]:
    """The whole numbers above 0 of all fields named depth of some kind, by where they are."""
    if not isinstance(plain, Mapping):
        return {}
    found = dict[str, int]()
    for key, value in plain.items():
        if "depth" in str(key) and isinstance(value, int) and value > 0:
            found[f"{within}{key}"] = value
        found |= _depths(value, f"{within}{key}.")
    return found


def check_shapes(state: State, expected: Mapping[str, torch.Size], origin: str) -> None:
    """Passes tensors that are `expected` by name, shape and kind, no more and no fewer.

    Raises: WeightsError that lists what differs.
    """
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    wrong = [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in state and state[name].shape != shape
    ]
    kinds = [name for name, tensor in state.items() if name in expected and tensor.dtype not in DTYPES]
    problems = (("missing", missing), ("unknown", unknown), ("of another shape", wrong), ("not float", kinds))
    told = [
        f"{len(names)} {word} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for word, names in problems
        if names
    ]
    if told:
        raise WeightsError(f"{origin} does not fit its model: of {len(expected)} tensors, {'; '.join(told)}")


def check_finite(state: Mapping[str, Tensor], origin: str) -> None:
    """Passes tensors without NaN and infinity.

    Raises: WeightsError naming one that has them.
    """
    bad = [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise WeightsError(f"{origin}: {len(bad)} tensors hold NaN or infinity (such as {bad[0]}); they are refused")

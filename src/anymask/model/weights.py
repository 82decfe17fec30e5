"""Models from disk and back: by name, from a released checkpoint, from a safetensors file or a Hugging Face folder.

No file is ever trusted: pickles are read by torch's restricted unpickler only, every name, shape and value is checked
before a model is handed out, and there is no second, laxer way when one of the checks fails.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anymask.errors import AnymaskError, ConfigError, WeightsError
from anymask.model.convert import config_of_hugging_face, infer_config, rename_hugging_face
from anymask.model.download import Progress, fetch
from anymask.model.encoder_weights import refuse_encoder
from anymask.model.registry import WeightsEntry, entry_named, registry
from anymask.model.safe_file import (
    DIGEST,
    DTYPES,
    State,
    check_depths,
    check_digest,
    check_finite,
    check_shapes,
    content_digest,
    read_safe,
    write_safe,
)
from anymask.model.sam import Sam, SamConfig
from anymask.runs import from_plain, to_plain

__all__ = ["Progress", "WeightsEntry", "cache_directory", "load", "model_hash", "registry", "save"]

_PICKLED, _SAFE = (".pth", ".pt", ".bin"), (".safetensors",)
_UNREADABLE = (
    *(RuntimeError, OSError, ValueError, EOFError, KeyError, IndexError, TypeError, AttributeError),
    zipfile.BadZipFile,
)
"""What torch.load raises for files that are damaged rather than unsafe."""
_CONFIG = "config"


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """A file's tensors under our names, and the model they are for."""

    config: SamConfig
    state: State
    origin: str


def load(
    source: str | Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    cache_dir: Path | str | None = None,
    progress: Progress | None = None,
) -> Sam:
    """A trained model in eval mode.

    `source` is a name of the registry ("tiny", "vit_b", "vit_l", "vit_h"; fetched into `cache_directory(cache_dir)`
    where it is not in the package), or the path of a released .pth, of a .safetensors file written by `save`, or of a
    Hugging Face SamModel folder. `dtype` is float32 (the default, also for files stored in fewer bits), bfloat16 or
    float16. `progress` is called with (bytes done, bytes in all) during a download.

    Raises: WeightsError when the file is missing, damaged, unsafe or of another model; ChecksumError and DownloadError
    for registered files; ConfigError for a device or dtype that cannot be used.
    """
    dtype = torch.float32 if dtype is None else dtype
    _check_target(device, dtype)
    path = _locate(source, cache_dir, progress)
    checkpoint = _read_folder(path) if path.is_dir() else _read_file(path)
    return _build(checkpoint).to(device=device, dtype=dtype)


def save(model: Sam, path: Path | str, metadata: Mapping[str, str] | None = None, *, half: bool = False) -> None:
    """Write `model` as a safetensors file that says what it is; whatever was at `path` stays whole until the end.

    With `half` the parameters are stored in float16 (buffers, such as the positional matrix, stay as they are).
    `metadata` is free text (licence, training data, ...) kept beside the configuration; "format", "config" and
    "content_sha256" are written by this function.

    Raises: WeightsError when the file cannot be written, or a parameter is not finite or too large for float16.
    """
    path = Path(path)
    state = dict(model.state_dict())
    if half:
        parameters = {name for name, _ in model.named_parameters()}
        state = {name: tensor.half() if name in parameters else tensor for name, tensor in state.items()}
    write_safe(path, state, {**(metadata or {}), _CONFIG: json.dumps(to_plain(model.config))})


def model_hash(model: Sam) -> str:
    """Hex sha256 of the model's configuration and of every tensor as it is now, wherever it lies.

    The same weights in another dtype are another model: their embeddings differ.
    """
    return content_digest({_CONFIG: json.dumps(to_plain(model.config))}, model.state_dict())


def cache_directory(cache_dir: Path | str | None = None) -> Path:
    """Where downloads land: `cache_dir`, else $ANYMASK_CACHE, else `anymask` in the user's cache folder."""
    chosen = cache_dir or os.environ.get("ANYMASK_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "anymask" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "anymask"
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rule: a relative path is as good as none.
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "anymask"


def _check_target(device: torch.device | str, dtype: torch.dtype) -> None:
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype} is not one of {', '.join(str(kind) for kind in DTYPES)}")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ConfigError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error


def _locate(source: str | Path, cache_dir: Path | str | None, progress: Progress | None) -> Path:
    """The file or folder that `source` means, fetched if need be."""
    if isinstance(source, str) and source in {entry.name for entry in registry()}:
        entry = entry_named(source)
        return _embedded(entry) if entry.is_embedded else fetch(entry, cache_directory(cache_dir), progress)
    path = Path(source).expanduser()
    if path.exists():
        return path
    if isinstance(source, str) and path.name == source and not path.suffix:
        entry_named(source)  # a bare word was meant as a name: say which there are
    raise WeightsError(f"there is no file or folder {path}; give an existing path or a name of the registry")


def _embedded(entry: WeightsEntry) -> Path:
    """The path of a file inside the package."""
    found = resources.files("anymask") / "weights" / entry.file_name
    if not isinstance(found, Path) or not found.is_file():
        raise WeightsError(
            f"this installation has no weights/{entry.file_name}; install a released wheel (unpacked, not zipped), "
            "or give the path of another file"
        )
    return found


def _read_file(path: Path) -> _Checkpoint:
    if path.suffix in _SAFE:
        state, notes = read_safe(path)
        refuse_encoder(path, notes)
        if _CONFIG not in notes and DIGEST not in notes:
            return _Checkpoint(_infer(state, path), state, str(path))
        check_digest(path, state, notes)
        return _Checkpoint(_parse_config(notes.get(_CONFIG, ""), state, path), state, str(path))
    if path.suffix in _PICKLED:
        state = _read_pickle(path)
        return _Checkpoint(_infer(state, path), state, str(path))
    raise WeightsError(f"{path} is not a .safetensors, .pth, .pt or .bin file; weights come in no other form")


def _read_folder(folder: Path) -> _Checkpoint:
    """A Hugging Face SamModel folder, in one file or in shards."""
    described = _read_json(folder / "config.json")
    for name, reader in (("model.safetensors", _read_safe_state), ("pytorch_model.bin", _read_pickle)):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            found = reader(folder / name)
        elif index.is_file():
            found = {}
            for shard in _shards(index):
                found |= reader(shard)
        else:
            continue
        state = rename_hugging_face(found)
        return _Checkpoint(_infer(state, folder, described or {}), state, str(folder))
    raise WeightsError(f"{folder} holds neither model.safetensors nor pytorch_model.bin; give a SamModel folder")


def _infer(state: State, path: Path, described: Any = None) -> SamConfig:
    """The architecture of `state`; `described` is the content of a Hugging Face config.json, if there was one."""
    try:
        return infer_config(state) if described is None else config_of_hugging_face(described, state)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _shards(index: Path) -> list[Path]:
    """The files an index names, all of them inside its own folder."""
    described = _read_json(index)
    names = described.get("weight_map") if isinstance(described, Mapping) else None
    if not isinstance(names, Mapping) or not all(isinstance(name, str) for name in names.values()):
        raise WeightsError(f"{index} has no weight_map of file names")
    files = sorted(set(names.values()))
    for name in files:
        if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
            raise WeightsError(f"{index} names the file {name!r}, which is not in its folder; it is refused")
    return [index.parent / name for name in files]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"cannot read {path}: {error}") from error


def _read_safe_state(path: Path) -> State:
    return read_safe(path)[0]


def _read_pickle(path: Path) -> State:
    """The tensors of a .pth file; anything in it but tensors and plain containers is refused unexecuted."""
    try:
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            _check_members(path)
        # Mapped where the format allows it, so that the largest model is never twice in memory.
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is refused: it holds more than tensors, or is damaged, and loading it could run code from it "
            f"({str(error).splitlines()[0]}); get the weights as .safetensors from someone you trust"
        ) from error
    except _UNREADABLE as error:
        raise WeightsError(f"{path} is not a whole PyTorch checkpoint: {error}; get it again") from error
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        keys = ", ".join(str(key) for key in list(found)[:5]) if isinstance(found, dict) else type(found).__name__
        raise WeightsError(f"{path} is not a plain dict of named tensors (found {keys}); give the model's state dict")
    return found


def _check_members(path: Path) -> None:
    """Passes archives as torch writes them, uncompressed: a small file must not unpack into a large memory."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise WeightsError(f"{path} is refused: its members are compressed, which no PyTorch checkpoint's are")


def _parse_config(text: str, state: State, path: Path) -> SamConfig:
    """The configuration stored in a file; its depths are bounded by the file before anything is built from it."""
    try:
        plain = json.loads(text)
        check_depths(plain, len(state))
        return from_plain(SamConfig, plain)
    except (ValueError, RecursionError, TypeError, ZeroDivisionError, AnymaskError) as error:
        raise WeightsError(f"{path} carries a configuration that cannot be used: {error}") from error


def _build(checkpoint: _Checkpoint) -> Sam:
    """The model with the checkpoint's values, after every name, shape and value was checked."""
    origin, state = checkpoint.origin, checkpoint.state
    try:
        # Shapes first, on a device without memory: sizes claimed by a file must not be allocated on its word.
        with torch.device("meta"):
            expected = {name: tensor.shape for name, tensor in Sam(checkpoint.config).state_dict().items()}
    except (RuntimeError, ValueError, TypeError, ZeroDivisionError, OverflowError, AssertionError) as error:
        raise WeightsError(f"{origin}: its configuration makes no model: {error}") from error
    check_shapes(state, expected, origin)
    check_finite(state, origin)
    model = Sam(checkpoint.config)
    model.load_state_dict(state)
    return model.eval()

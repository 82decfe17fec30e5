"""Weights of an image encoder alone, as pre-training leaves them: patches, positions and blocks, nothing else.

The neck and the relative positions are no part of the file: pre-training (He et al. 2021, arXiv 2111.06377) has
neither, they begin when the encoder becomes part of a whole model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from anymask.errors import AnymaskError, WeightsError
from anymask.model.image_encoder import VitConfig, VitEncoder, resize_positions
from anymask.model.safe_file import (
    State,
    check_depths,
    check_digest,
    check_finite,
    check_shapes,
    read_notes,
    read_safe,
    write_safe,
)
from anymask.runs import from_plain, to_plain

_KIND, _CONFIG = "kind", "encoder_config"
_ENCODER = "anymask encoder"
"""The note that says that a file holds an encoder alone."""
_SHAPE_FIELDS = ("dim", "depth", "heads", "mlp_ratio")
"""Fields that two encoders must have in common for one to take the other's weights."""


@dataclass(frozen=True, slots=True, eq=False)
class EncoderWeights:
    """An encoder's file after every check."""

    config: VitConfig
    """What was pre-trained; `native_size` is the side of its images."""
    state: State
    """Tensors under the names they have in `VitEncoder`."""


def save_encoder(encoder: VitEncoder, path: Path | str, metadata: Mapping[str, str] | None = None) -> None:
    """Write what pre-training learns of `encoder` as a safetensors file that says so.

    `metadata` is free text kept beside the configuration.

    Raises: WeightsError when the file cannot be written, or a parameter is not finite.
    """
    notes = {**(metadata or {}), _KIND: _ENCODER, _CONFIG: json.dumps(to_plain(encoder.config))}
    write_safe(Path(path), _pretrained(encoder), notes)


def load_encoder(path: Path | str) -> EncoderWeights:
    """The encoder that `save_encoder` wrote to `path`.

    Raises: WeightsError when the file is missing, damaged, or holds something else.
    """
    path = Path(path)
    state, notes = read_safe(path)
    if notes.get(_KIND) != _ENCODER:
        raise WeightsError(f"{path} does not hold an encoder alone; give the model.safetensors of `anymask pretrain`")
    check_digest(path, state, notes)
    try:
        plain = json.loads(notes.get(_CONFIG, ""))
        check_depths(plain, len(state))
        config = from_plain(VitConfig, plain)
        # Shapes first, on a device without memory: sizes claimed by a file must not be allocated on its word.
        with torch.device("meta"):
            expected = {name: tensor.shape for name, tensor in _pretrained(VitEncoder(config)).items()}
    except (AnymaskError, RuntimeError, ValueError, TypeError, RecursionError, ArithmeticError) as error:
        raise WeightsError(f"{path} carries an encoder configuration that cannot be used: {error}") from error
    check_shapes(state, expected, str(path))
    check_finite(state, str(path))
    return EncoderWeights(config, state)


def holds_encoder(path: Path | str) -> bool:
    """Whether `path` is a file that `save_encoder` wrote; false for anything else, damaged files included."""
    path = Path(path)
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        return read_notes(path).get(_KIND) == _ENCODER
    except WeightsError:
        return False  # whoever loads it says what is wrong


def refuse_encoder(path: Path, notes: Mapping[str, str]) -> None:
    """Passes the notes of any file that does not hold an encoder alone.

    Raises: WeightsError that says how the encoder becomes a model.
    """
    if notes.get(_KIND) == _ENCODER:
        raise WeightsError(
            f"{path} holds a pre-trained encoder alone, which answers no prompts; train a model from it: "
            f"anymask train --from {path} --recipe RECIPE"
        )


@torch.no_grad()
def put_encoder(weights: EncoderWeights, encoder: VitEncoder, origin: str) -> None:
    """Give `encoder` the pre-trained weights; its relative positions become zero, its neck stays as it is.

    The position table is interpolated (bicubic) to the encoder's own grid, as ViTDet (arXiv 2203.16527) does.

    Raises: WeightsError naming both sizes when they do not fit; `origin` says where the weights are from.
    """
    if any(getattr(weights.config, name) != getattr(encoder.config, name) for name in _SHAPE_FIELDS):
        raise WeightsError(
            f"{origin} holds an encoder of {_say_size(weights.config)}; the model asked for has one of "
            f"{_say_size(encoder.config)}: choose a recipe of the same size, or pre-train the other"
        )
    own = encoder.state_dict()
    positions = resize_positions(weights.state["pos_embed"], tuple(encoder.pos_embed.shape[1:3]))
    for name, tensor in (weights.state | {"pos_embed": positions}).items():
        own[name].copy_(tensor)
    for name, tensor in own.items():
        if _is_relative(name):
            tensor.zero_()


def _pretrained(encoder: VitEncoder) -> State:
    state = encoder.state_dict()
    return {n: state[n] for n in state if n.startswith(encoder.trunk_names) and not _is_relative(n)}


def _is_relative(name: str) -> bool:
    return name.endswith((".rel_pos_h", ".rel_pos_w"))


def _say_size(config: VitConfig) -> str:
    return f"{config.depth} blocks of {config.dim} channels, {config.heads} heads, MLP ratio {config.mlp_ratio}"

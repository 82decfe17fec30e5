"""An embedded image that knows whose it is: kept in memory or in a file, and refused by another model or picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from anymask.errors import EmbeddingMismatchError, InputError
from anymask.images.frames import Frame
from anymask.model.embedding import ImageEmbedding
from anymask.model.sam import Sam
from anymask.runs import write_atomically

FORMAT = "anymask-embedding-1"
"""Written into every file; a file without it is not read."""

_SIZES = ("original_height", "original_width", "resized_height", "resized_width", "input_size")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EmbeddedImage:
    """One image as the decoder needs it, with where it came from."""

    frame: Frame
    """How the picture sits in the input."""
    embedding: ImageEmbedding
    """The main map and every finer map, B = 1."""
    image_sha256: str
    """`LoadedImage.sha256` of the picture: of its size and pixels, whatever file they were in."""
    model_sha256: str
    """`model_hash` of the model that made the embedding."""

    def check_model(self, model_sha256: str) -> None:
        """Raises EmbeddingMismatchError when another model made this embedding."""
        if self.model_sha256 != model_sha256:
            raise EmbeddingMismatchError(
                f"the embedding was made by model {self.model_sha256[:12]}..., this one is {model_sha256[:12]}...; "
                "load that model (same weights, same dtype), or embed the picture again"
            )

    def check_image(self, image_sha256: str) -> None:
        """Raises EmbeddingMismatchError when the embedding is of another picture."""
        if self.image_sha256 != image_sha256:
            raise EmbeddingMismatchError(
                f"the embedding is of picture {self.image_sha256[:12]}..., the one given is {image_sha256[:12]}...; "
                "give the picture that was embedded, or embed this one"
            )


def save_embedding(embedded: EmbeddedImage, path: Path | str) -> None:
    """Write `embedded` as one safetensors file; what was at `path` stays whole until the new file is."""
    write_atomically(Path(path), encode_embedding(embedded))


def encode_embedding(embedded: EmbeddedImage) -> bytes:
    """`embedded` as one safetensors file: all maps, the frame's sizes and both hashes."""
    frame = embedded.frame
    sizes = (*frame.original_hw, *frame.resized_hw, frame.input_size)
    notes = {name: str(size) for name, size in zip(_SIZES, sizes, strict=True)}
    notes |= {
        "format": FORMAT,
        "image_sha256": embedded.image_sha256,
        "model_sha256": embedded.model_sha256,
    }
    maps = {"main": embedded.embedding.main}
    maps |= {f"finer.{index}": tensor for index, tensor in enumerate(embedded.embedding.finer)}
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in maps.items()}
    return bytes(save(stored, notes))


def load_embedding(path: Path | str) -> EmbeddedImage:
    """What `save_embedding` wrote, on the CPU; the caller checks model and picture.

    Raises: InputError for a file that is missing, damaged, or something else.
    """
    try:
        with safe_open(str(path), framework="pt") as opened:
            notes = opened.metadata() or {}
            names = opened.keys()
            tensors = {name: opened.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read as a saved embedding ({reason}); embed the picture again") from error
    if notes.get("format") != FORMAT:
        raise InputError(f"{path} is not a saved embedding of this package; expected format {FORMAT!r}")
    try:
        sizes = [int(notes[name]) for name in _SIZES]
        finer = tuple(tensors[f"finer.{index}"] for index in range(len(tensors) - 1))
        embedding = ImageEmbedding(tensors["main"], finer)
        image_sha256, model_sha256 = notes["image_sha256"], notes["model_sha256"]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} lacks {error} of a saved embedding; embed the picture again") from error
    frame = Frame((sizes[0], sizes[1]), (sizes[2], sizes[3]), sizes[4])
    return EmbeddedImage(frame=frame, embedding=embedding, image_sha256=image_sha256, model_sha256=model_sha256)


def check_maps(embedded: EmbeddedImage, model: Sam) -> None:
    """Raises EmbeddingMismatchError unless frame and maps are of the sizes `model` makes, and finite."""
    frame = embedded.frame
    size, dim = model.input_size, model.config.prompt_encoder.dim
    good = min(frame.original_hw) >= 1 and frame == Frame.fit(frame.original_hw, size)
    expected = [(1, dim, size // 16, size // 16)]
    if model.config.mask_decoder.skip_finer:
        expected += [(1, dim // 4, size // 8, size // 8), (1, dim // 8, size // 4, size // 4)]
    maps = (embedded.embedding.main, *embedded.embedding.finer)
    good = good and [tuple(tensor.shape) for tensor in maps] == expected
    if not good or not all(bool(torch.isfinite(tensor).all()) for tensor in maps):
        raise EmbeddingMismatchError(
            f"the embedding has maps {[tuple(tensor.shape) for tensor in maps]} for a picture of {frame.original_hw}, "
            f"expected finite maps {expected}; the file is damaged: embed the picture again"
        )

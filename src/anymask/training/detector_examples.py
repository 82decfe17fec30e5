"""Labelled pictures with their embeddings by a frozen encoder, each computed once and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anymask.dataset.choose import place_of
from anymask.dataset.record import Record
from anymask.errors import DatasetError
from anymask.images.frames import Frame
from anymask.model.embedding import ImageEmbedding
from anymask.model.sam import Sam
from anymask.training.batches import Records
from anymask.training.detector_config import DetectorConfig
from anymask.training.detector_targets import LabelledBoxes, labelled_boxes
from anymask.training.embedding_cache import EmbeddingCache


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One labelled picture, its embedding on disk."""

    name: str
    key: bytes
    """Digest of the picture's file."""
    read: Callable[[], Record]
    boxes: LabelledBoxes


class Embeddings:
    """The embeddings of pictures and their mirror images by one frozen model, each computed once."""

    def __init__(self, model: Sam, folder: Path, limit_gib: float) -> None:
        self.model = model.eval()
        self._cache = EmbeddingCache(folder, round(limit_gib * 2**30))

    def of(self, example: Example, *, is_flipped: bool) -> ImageEmbedding:
        """(1, ...) float16 maps, as the annotation server keeps them."""
        view = example.key + (b"flipped" if is_flipped else b"")
        return self._cache.get(view, self.model.device, lambda: self._embed(example.read(), is_flipped=is_flipped))

    @torch.no_grad()
    def _embed(self, record: Record, *, is_flipped: bool) -> ImageEmbedding:
        pixels = record.pixels()
        resized = Frame.fit((pixels.shape[0], pixels.shape[1]), self.model.input_size).resize_pixels(pixels)
        view = np.ascontiguousarray(resized[:, ::-1] if is_flipped else resized)
        image = self.model.preprocess(torch.tensor(view).permute(2, 0, 1)[None])
        return self.model.embed(image).to(dtype=torch.float16)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What there is to learn from, and to measure on."""

    learned: list[Example]
    held: list[Example]
    skipped: int
    """Pictures left out because nothing on them is labelled."""
    sha256: str
    """Of the names, pictures and labels of all records."""


def split(pictures: Records, held: Records | None, config: DetectorConfig, input_size: int) -> Split:
    """Examples of `pictures` and `held`; without the latter a share of `pictures` is held out.

    Raises: DatasetError when there is no mask to learn from or to measure on, or a record is damaged.
    """
    learned, measured = _Part(), _Part()
    digest = hashlib.sha256()
    for records, given in ((pictures, None if held is None else learned), ((held or []), measured)):
        for index in range(len(records)):
            example = _example(records, index, config, input_size, digest)
            is_held = given is None and place_of(example.name, config.seed) < config.held_share
            (given or (measured if is_held else learned)).add(example)
    for part, use in ((learned, "learn from"), (measured, "measure on")):
        if not any(len(example.boxes.boxes_xyxy) for example in part.examples):
            raise DatasetError(
                f"there is no mask to {use} among {len(pictures)} pictures ({learned.skipped + measured.skipped} "
                "without any label); give more labelled pictures"
            )
    skipped = learned.skipped + measured.skipped
    return Split(learned.examples, measured.examples, skipped, digest.hexdigest())


class _Part:
    """Examples with something labelled, and how many had nothing."""

    def __init__(self) -> None:
        self.examples: list[Example] = []
        self.skipped = 0

    def add(self, example: Example) -> None:
        if example.boxes.labelled.any() or len(example.boxes.boxes_xyxy):
            self.examples.append(example)
        else:
            self.skipped += 1


def _example(records: Records, index: int, config: DetectorConfig, input_size: int, digest: hashlib._Hash) -> Example:
    record = records[index]
    key = hashlib.sha256(record.image_bytes).digest()
    digest.update(record.name.encode() + key)
    for data in record.maps_bytes:
        digest.update(hashlib.sha256(data).digest())
    boxes = labelled_boxes(record, input_size, min_area_px=config.min_area_px, max_fraction=config.max_fraction)
    return Example(record.name, key, lambda: records[index], boxes)


def embed_all(
    embeddings: Embeddings, data: Split, *, flip: bool, on_embedded: Callable[[int, int], None] | None
) -> None:
    """See that every embedding the training needs is there; tells (done, in all) after each."""
    views = [(example, False) for example in (*data.learned, *data.held)]
    views += [(example, True) for example in data.learned] if flip else []
    for done, (example, is_flipped) in enumerate(views, 1):
        embeddings.of(example, is_flipped=is_flipped)
        if on_embedded is not None:
            on_embedded(done, len(views))

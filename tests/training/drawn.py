"""Small pictures with known masks, and models small enough to train in a second."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.dataset.record import Record
from anymask.images.augment import ViewConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import SamConfig
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.training.batches import DataConfig
from anymask.training.interactive import RoundsConfig
from anymask.training.promptable import Phase, TrainConfig
from anymask.training.schedule import OptimizerConfig


def small_model() -> SamConfig:
    """The tiny architecture at a quarter of its width and an eighth of its input."""
    return SamConfig(
        image_encoder=TinyEncoderConfig(dim=32, context_dim=32, context_depth=1),
        prompt_encoder=PromptEncoderConfig(dim=32, mask_channels=16, draw_prompts=True),
        mask_decoder=MaskDecoderConfig(
            dim=32, heads=2, mlp_dim=64, iou_hidden=32, skip_finer=True, prompt_finer_channels=(4, 4)
        ),
        input_size=64,
        pixel_mean=(127.0, 127.0, 127.0),
        pixel_std=(128.0, 128.0, 128.0),
    )


def small_run(steps: int = 4, **changes: object) -> TrainConfig:
    """A run of seconds; `changes` replace fields of TrainConfig."""
    fields: dict[str, object] = {
        "model": small_model(),
        "steps": steps,
        "pictures": 2,
        "phases": (Phase(size=64, masks=3, mask_loss="balanced"),),
        "data": DataConfig(view=ViewConfig(flip_probability=0.5), min_area_px=4),
        "rounds": RoundsConfig(clicks=1, mask_only_rounds=0),
        "optimizer": OptimizerConfig(lr=1e-3, warmup_steps=2, ema_decay=0.9),
        "checkpoint_every": 2,
        "validate_every": 0,
        "sheet_every": 0,
    }
    return TrainConfig(**(fields | changes))


def png(pixels: npt.NDArray[np.generic]) -> bytes:
    """The array as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def drawn_record(name: str, seed: int = 0, *, masks: int = 3, size: int = 64) -> Record:
    """A dark noisy picture with bright discs, each disc a label; none at all with masks=0."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 40, (size, size, 3), np.uint8)
    labels = np.zeros((size, size), np.uint16)
    radius = size // 7
    for label in range(1, masks + 1):
        centre = tuple(int(value) for value in rng.integers(radius + 3, size - radius - 3, 2))
        cv2.circle(pixels, centre, radius, tuple(int(v) for v in rng.integers(120, 255, 3)), -1)
        cv2.circle(labels, centre, radius, label, -1)
    return Record(name, "drawn", png(pixels), (png(labels),))


def draw_set(folder: Path, seed: int, count: int) -> None:
    """Pictures of two coloured discs each, with their label maps, as one set."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(60, 100, (80, 100, 3), np.uint8)
        labels = np.zeros((80, 100), np.uint8)
        for region in (1, 2):
            centre = (int(rng.integers(20, 80)), int(rng.integers(20, 60)))
            cv2.circle(labels, centre, int(rng.integers(10, 18)), region, cv2.FILLED)
            pixels[labels == region] = rng.integers(0, 256, 3)
        cv2.imwrite(str(folder / f"{number}.webp"), pixels, [cv2.IMWRITE_WEBP_QUALITY, 101])
        cv2.imwrite(str(folder / f"{number}.png"), labels)

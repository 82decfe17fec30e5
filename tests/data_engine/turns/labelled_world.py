"""A project whose pictures show rectangles that people have masked: enough to train and score on."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import update

from anymask.data_engine import deployment, pictures
from anymask.data_engine.loop import Engine
from anymask.data_engine.mask_rows import PERSON, Maker, check_mask, make_mask
from anymask.data_engine.promote import GateConfig
from anymask.data_engine.tables import ImageRow, TaskRow
from anymask.data_engine.turns.config import EngineConfig, HardestConfig, ScoreConfig, StageConfig
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from tests.data_engine.world import World, provenance, rectangle

SIDE = 64


def draw(seed: int) -> tuple[bytes, list[tuple[int, int, int, int]]]:
    """A picture file with two bright rectangles on a dark ground, and where they are."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
    boxes = []
    for left in (4, 36):
        x0, y0 = left + int(rng.integers(6)), 6 + int(rng.integers(20))
        box = (x0, y0, x0 + 18, y0 + 26)
        pixels[box[1] : box[3], box[0] : box[2]] = rng.integers(150, 255, 3, np.uint8)
        boxes.append(box)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True)
    return file.getvalue(), boxes


def add_labelled(
    world: World, seed: int, *, done: bool = True, masked: bool = True, stage: str = "assisted"
) -> ImageRow:
    """The picture of `seed` as `shapes/SEED.webp`, its masks accepted, its task done."""
    data, boxes = draw(seed)
    kept = pictures.keep_picture(world.blobs, data)
    image = world.database.write(
        lambda s: pictures.add_picture(s, world.project.id, f"shapes/{seed:03d}.webp", kept, world.clock(), None)
    )

    def fill(session: Any) -> None:
        row = session.get_one(ImageRow, image.id)
        maker = Maker(origin=PERSON, person_id=world.ann.id, stage=stage)
        for box in boxes if masked else ():
            mask = check_mask(rectangle(*box, (SIDE, SIDE)), (SIDE, SIDE), provenance=provenance(active_ms=9000))
            make_mask(session, row, str(uuid.UUID(int=hash((seed, box)) % 2**128)), mask, maker, world.clock())
        if done:
            session.execute(update(TaskRow).where(TaskRow.image_id == image.id).values(state="done"))

    world.database.write(fill)
    return image


def make_engine(world: World, model: Sam, folder: Path, **changes: Any) -> Engine:
    """An engine on the world's project; the model is current, its decoder counts as written."""
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"decoder-{model_hash(model)}.onnx").write_bytes(b"made before")
    deployment.keep_model(world.database, world.blobs, model, "small", cache, with_weights=True)
    deployment.deploy(world.database, world.blobs, model, "small", cache)
    stage = StageConfig(recipe="finetune_decoder", steps=1)
    config = EngineConfig(
        database=world.database.url,
        store=str(world.blobs.root),
        project=world.project.name,
        **{
            "held_share": 0.4,
            "assisted": stage,
            "semi_automatic": stage,
            "automatic": stage,
            "score": ScoreConfig(clicks=2),
            "gate": GateConfig(guards=("box",)),
            "hardest": HardestConfig(pictures=2, grid=2),
            **changes,
        },
    )
    return Engine(folder, config, world.database, world.blobs, cache)

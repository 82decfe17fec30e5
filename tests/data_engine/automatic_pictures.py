"""Pictures of noise with automatic masks, each with a score and the way it was made."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.provenance import Provenance, made_alike
from anymask.masks.sets import set_from_masks
from tests.data_engine.world import MODEL

SIZE_HW = (40, 60)
MADE = Provenance(stage="automatic", model="tiny", model_sha256=MODEL, settings_sha256="c" * 64, software="anymask 0")


def automatic(number: int) -> LabelledPicture:
    """Four boxes, each with a score; a picture of noise."""
    masks = np.zeros((4, *SIZE_HW), np.bool_)
    for index in range(4):
        masks[index, 10 * index : 10 * index + 8, : 20 + 10 * index] = True
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (*SIZE_HW, 3), np.uint8)).save(file, "JPEG")
    return LabelledPicture(
        name=f"sa1b/sa_{number}",
        masks=set_from_masks(masks, predicted_iou=(0.95, 0.9, 0.85, 0.7)),
        notes=made_alike(MADE, 4, licence="CC0", source=f"photo {number}.png"),
        read_image=file.getvalue,
    )

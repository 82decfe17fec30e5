"""What everything-mode does after the decoder, ours beside the public one.  python benchmarks/postprocess.py

121 clicks on a 1500 x 2250 picture, three masks each. Both sides get the same logits and predicted IoU from a decoder
that only hands them out: smooth shapes of many sizes and sharpnesses. Thresholds are the defaults ("defaults"), or
none, so that every mask is upsampled, measured and encoded ("all kept").
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
import torch
from torch import Tensor

from anymask.images.frames import Frame
from anymask.images.load import load_image
from anymask.masks import rle
from anymask.masks.types import Rle
from anymask.model.embedding import ImageEmbedding
from anymask.model.sam import MaskPrediction, Sam, SamConfig
from anymask.predict.automatic import AutomaticConfig, _segment_points, _Task
from anymask.predict.embeddings import EmbeddedImage
from anymask.predict.predictor import ReadyImage
from anymask.predict.tracing import Thresholds, Tracer
from anymask.prompts.grid import point_grid
from benchmarks.everything import compare
from benchmarks.harness import Options, Report, run
from benchmarks.models import picture
from tests.public_sam import import_public_sam

SIZE_HW, LOW, POINTS, BATCH = (1500, 2250), 256, 11, 64
CASES = {"defaults": (0.88, 0.95), "all kept": (0.0, 0.0)}


def canned() -> tuple[Tensor, Tensor]:
    """(P, 3, 256, 256) logits and (P, 3) predicted IoU."""
    rng = np.random.default_rng(0)
    maps = np.empty((POINTS * POINTS * 3, LOW, LOW), np.float32)
    for index, one in enumerate(maps):
        noise = cv2.GaussianBlur(
            rng.standard_normal((LOW, LOW)).astype(np.float32), (0, 0), float(4 * 2 ** (index % 4))
        )
        one[:] = (noise / noise.std() - rng.uniform(0, 1.2)) * rng.uniform(8, 80)
    iou = rng.uniform(0.8, 1, maps.shape[0]).astype(np.float32)
    return torch.from_numpy(maps.reshape(-1, 3, LOW, LOW)), torch.from_numpy(iou.reshape(-1, 3))


class CannedSam(Sam):
    """Our model, decoding nothing."""

    def __init__(self) -> None:
        super().__init__(SamConfig.named("vit_b"))
        self.answers = canned()
        self.next = 0

    def prepare(self, embedding: ImageEmbedding) -> Any:
        return embedding

    def decode(self, prepared: Any, prompts: Any, *, multimask: bool) -> MaskPrediction:
        del prepared, multimask
        start, self.next = self.next, (self.next + len(prompts)) % (POINTS * POINTS)
        logits, iou = (answer[start : start + len(prompts)] for answer in self.answers)
        return MaskPrediction(logits, iou)


def ours() -> dict[str, Callable[[], list[Rle]]]:
    """Our post-processing: `_segment_points`, batch by batch."""
    model = CannedSam()
    frame = Frame.fit(SIZE_HW, model.input_size)
    embedding = ImageEmbedding(torch.zeros(1, 256, 64, 64))
    ready = ReadyImage(model, EmbeddedImage(frame=frame, embedding=embedding, image_sha256="", model_sha256=""))
    grid, image = point_grid(POINTS), load_image(picture(*SIZE_HW))

    def segment(iou: float, stability: float) -> list[Rle]:
        config = AutomaticConfig(predicted_iou_threshold=iou, stability_threshold=stability)
        tracer = Tracer(frame, LOW, thresholds=Thresholds(offset=config.stability_offset))
        task = _Task(image, (0, 0, SIZE_HW[1], SIZE_HW[0]), grid, config)
        points = grid * SIZE_HW[::-1]
        return [
            one
            for start in range(0, len(points), BATCH)
            for one in _segment_points(ready, tracer, points[start : start + BATCH], task).rles
        ]

    return {case: lambda values=values: segment(*values) for case, values in CASES.items()}


class CannedDecoder:
    """The public model's prompt encoder and mask decoder, decoding nothing."""

    def __init__(self) -> None:
        self.answers = canned()
        self.next = 0

    def __call__(self, points: Any = None, **_: Any) -> tuple[Any, Any]:
        if points is not None:  # as prompt encoder
            self.count = len(points[0])
            return None, None
        start, self.next = self.next, (self.next + self.count) % (POINTS * POINTS)
        logits, iou = (answer[start : start + self.count] for answer in self.answers)
        return logits, iou

    def get_dense_pe(self) -> None:
        return None


def peer() -> dict[str, Callable[[], list[Rle]]]:
    """The public generator's `_process_batch`, batch by batch."""
    public = import_public_sam()
    model = public.sam_model_registry["vit_b"]()
    del model.prompt_encoder, model.mask_decoder
    model.prompt_encoder = model.mask_decoder = CannedDecoder()
    points = point_grid(POINTS) * SIZE_HW[::-1]

    def segment(iou: float, stability: float) -> list[Rle]:
        generator = public.SamAutomaticMaskGenerator(model, pred_iou_thresh=iou, stability_score_thresh=stability)
        predictor = generator.predictor
        predictor.is_image_set, predictor.original_size, predictor.input_size = True, SIZE_HW, (683, 1024)
        found = []
        for start in range(0, len(points), BATCH):
            batch = points[start : start + BATCH]
            data = generator._process_batch(batch, SIZE_HW, [0, 0, SIZE_HW[1], SIZE_HW[0]], SIZE_HW)
            found += data["rles"]
        return [rle.from_json(one) for one in found]

    return {case: lambda values=values: segment(*values) for case, values in CASES.items()}


def main() -> Report:
    options = Options(cases=list(CASES), turns=3, compare=compare)
    return run("postprocess", "segment-anything 1.0", ours, peer, options)


if __name__ == "__main__":
    main()

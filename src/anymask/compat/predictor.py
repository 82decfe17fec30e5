"""The public `SamPredictor`, over our model's embed, prepare and decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.compat.modeling import Points, frame_of, prompt_batch
from anymask.compat.utils.transforms import ResizeLongestSide
from anymask.masks import rle
from anymask.model.embedding import ImageEmbedding
from anymask.model.mask_decoder import PreparedImage
from anymask.model.sam import Sam
from anymask.predict.tracing import Thresholds, Tracer

Array = npt.NDArray[np.generic]
_NOT_SET = "An image must be set with .set_image(...) before mask prediction."


class SamPredictor:
    """Embeds one image, then answers prompts on it. Takes any `Sam` of this package.

    Errors are the public ones: RuntimeError without an image, AssertionError for arguments of another form.
    """

    def __init__(self, sam_model: Sam) -> None:
        self.model = sam_model
        self.transform = ResizeLongestSide(sam_model.input_size)
        self.reset_image()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def features(self) -> Tensor | None:
        """(1, C, h, w) main map of the image that is set; one kept from before can be set again, for a ViT."""
        return None if self._embedding is None else self._embedding.main

    @features.setter
    def features(self, value: Tensor | None) -> None:
        self._embedding = None if value is None else ImageEmbedding(value)
        self._prepared: PreparedImage | None = None

    def reset_image(self) -> None:
        """Forget the image."""
        self.is_image_set = False
        self.features = None
        self.original_size: tuple[int, ...] | None = None
        self.input_size: tuple[int, ...] | None = None
        self.orig_h = self.orig_w = self.input_h = self.input_w = None

    def set_image(self, image: npt.NDArray[np.uint8], image_format: str = "RGB") -> None:
        """Embed an (H, W, 3) uint8 image, "RGB" or "BGR"."""
        if image_format not in ("RGB", "BGR"):
            raise AssertionError(f"image_format must be in ['RGB', 'BGR'], is {image_format}.")
        if image_format != "RGB":
            image = image[..., ::-1]
        resized = torch.from_numpy(self.transform.apply_image(image)).to(self.device)
        self.set_torch_image(resized.permute(2, 0, 1).contiguous()[None], image.shape[:2])

    def set_torch_image(self, transformed_image: Tensor, original_image_size: Sequence[int]) -> None:
        """Embed a (1, 3, h, w) image already resized by `ResizeLongestSide`, from an original of (H, W)."""
        size = self.model.input_size
        if transformed_image.ndim != 4 or transformed_image.shape[1] != 3 or max(transformed_image.shape[2:]) != size:
            raise AssertionError(f"set_torch_image input must be BCHW with long side {size}.")
        self.reset_image()
        self.original_size = tuple(original_image_size)
        self.input_size = tuple(transformed_image.shape[-2:])
        with torch.no_grad():
            self._embedding = self.model.embed(self.model.preprocess(transformed_image))
        self.is_image_set = True

    def predict(
        self,
        point_coords: Array | None = None,
        point_labels: Array | None = None,
        box: Array | None = None,
        mask_input: Array | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Masks (M, H, W), predicted IoU (M,) and low-res logits (M, m, m) for one prompt in original pixels.

        `point_coords` (N, 2), `point_labels` (N,) of 1 or 0, `box` (4,) xyxy, `mask_input` (1, m, m) logits.
        """
        self._check_image()
        points, boxes, masks = None, None, None
        if point_coords is not None:
            if point_labels is None:
                raise AssertionError("point_labels must be supplied if point_coords is supplied.")
            moved = self.transform.apply_coords(np.asarray(point_coords), self.original_size or ())
            points = self._tensor(moved)[None], self._tensor(point_labels)[None]
        if box is not None:
            boxes = self._tensor(self.transform.apply_boxes(np.asarray(box), self.original_size or ()))
        if mask_input is not None:
            masks = self._tensor(mask_input)[None]
        coordinates, labels = points if points is not None else (None, None)
        found = self.predict_torch(coordinates, labels, boxes, masks, multimask_output, return_logits)
        full, iou, logits = (tensor[0].detach().cpu().numpy() for tensor in found)
        return full, iou, logits

    def predict_torch(
        self,
        point_coords: Tensor | None,
        point_labels: Tensor | None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Masks (P, M, H, W), predicted IoU (P, M) and low-res logits (P, M, m, m) for P prompts in input pixels.

        `point_coords` (P, N, 2), `point_labels` (P, N), `boxes` (P, 4), `mask_input` (P, 1, m, m) logits.
        """
        embedding = self._check_image()
        points: Points | None = None
        if point_coords is not None:
            if point_labels is None:
                raise AssertionError("point_labels must be supplied if point_coords is supplied.")
            points = (point_coords, point_labels)
        batch = prompt_batch(points, boxes, mask_input).to(self.device)
        with torch.no_grad():
            if self._prepared is None:
                self._prepared = self.model.prepare(embedding)
            answer = self.model.decode(self._prepared, batch, multimask=multimask_output)
            return self._to_original(answer.logits, return_logits), answer.iou, answer.logits

    def get_image_embedding(self) -> Tensor:
        """(1, C, h, w) main map of the image that is set."""
        if not self.is_image_set or self.features is None:
            raise RuntimeError("An image must be set with .set_image(...) to generate an embedding.")
        return self.features

    def _check_image(self) -> ImageEmbedding:
        if not self.is_image_set or self._embedding is None:
            raise RuntimeError(_NOT_SET)
        return self._embedding

    def _tensor(self, values: Array) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def _to_original(self, logits: Tensor, return_logits: bool) -> Tensor:
        """(P, M, m, m) -> (P, M, H, W) logits, or bool."""
        frame = frame_of(self.input_size or (), self.original_size or (), self.model.input_size)
        if return_logits or logits.device.type != "cpu" or logits.numel() == 0:
            full = frame.to_original_logits(logits)
            return full if return_logits else full > self.model.mask_threshold
        tracer = Tracer(frame, logits.shape[-1], thresholds=Thresholds(mask=self.model.mask_threshold))
        traced = tracer.trace(logits.flatten(0, 1).float().numpy())
        masks = rle.decode_batch([traced.rle(index) for index in range(len(traced.edges))])
        return torch.from_numpy(masks).view(*logits.shape[:2], *frame.original_hw)

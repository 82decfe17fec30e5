"""The public package's `Sam`: our model whose parts can also be called one by one, with the public arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from anymask.errors import InputError
from anymask.images.frames import Frame
from anymask.model import sam as ours
from anymask.model.embedding import ImageEmbedding
from anymask.model.image_encoder import PATCH, VitConfig, VitEncoder
from anymask.model.mask_decoder import ALL_MASKS, MaskDecoder, MaskDecoderConfig, PreparedImage
from anymask.model.prompt_encoder import PromptEncoder, PromptEncoderConfig, PromptEncoding
from anymask.model.sam import SamConfig
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, PADDING, PromptBatch

Points = tuple[Tensor, Tensor]
"""(P, N, 2) input pixels and (P, N) labels."""


def prompt_batch(points: Points | None, boxes: Tensor | None, masks: Tensor | None) -> PromptBatch:
    """P prompts as the public prompt encoder takes them, in input pixels: boxes (P, 4), masks (P, 1, m, m) logits."""
    given = [part for part in (points[0] if points else None, boxes, masks) if part is not None]
    count, device = (given[0].shape[0], given[0].device) if given else (1, torch.device("cpu"))
    coordinates = [torch.zeros(count, 0, 2, device=device)]
    labels = [torch.zeros(count, 0, dtype=torch.int64, device=device)]
    if points is not None:
        coordinates.append(points[0].float())
        labels.append(points[1].long())
        if boxes is None:
            coordinates.append(torch.zeros(count, 1, 2, device=device))
            labels.append(torch.full((count, 1), PADDING, device=device))
    if boxes is not None:
        coordinates.append(boxes.float().reshape(-1, 2, 2))
        labels.append(torch.tensor([BOX_TOP_LEFT, BOX_BOTTOM_RIGHT], device=device).expand(count, 2))
    return PromptBatch(torch.cat(coordinates, dim=1), torch.cat(labels, dim=1), masks)


class ImageEncoderViT(VitEncoder):
    """Our ViT, giving the main map itself when called."""

    def __init__(self, config: VitConfig, input_size: int) -> None:
        super().__init__(config)
        self.img_size = input_size

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C, S/16, S/16)."""
        embedding: ImageEmbedding = super().__call__(images)
        return embedding.main


class PublicPromptEncoder(PromptEncoder):
    """Our prompt encoder, callable with the public arguments too."""

    def __init__(self, config: PromptEncoderConfig, input_size: int) -> None:
        super().__init__(config)
        self.embed_dim = config.dim
        self.input_image_size = (input_size, input_size)
        self.image_embedding_size = (input_size // PATCH, input_size // PATCH)
        self.mask_input_size = (input_size // 4, input_size // 4)

    def __call__(self, points: Any = None, boxes: Any = None, masks: Any = None) -> Any:
        """Sparse (P, N, C) and dense (P, C, h, w) embeddings; called by our model with a batch, what ours gives."""
        if isinstance(points, PromptBatch):
            return super().__call__(points, boxes)
        batch = prompt_batch(points, boxes, masks).to(self.no_mask_embed.weight.device)
        encoding: PromptEncoding = super().__call__(batch, self.input_image_size[0])
        dense = self.no_mask_embed.weight[:, :, None, None] if encoding.dense is None else encoding.dense
        return encoding.sparse, dense.expand(encoding.sparse.shape[0], -1, *self.image_embedding_size)

    def get_dense_pe(self) -> Tensor:
        """(1, C, h, w) positional encoding of the embedding grid."""
        return self.dense_position(*self.image_embedding_size)


class PublicMaskDecoder(MaskDecoder):
    """Our mask decoder, callable with the public arguments too."""

    def __init__(self, config: MaskDecoderConfig) -> None:
        super().__init__(config)
        self.num_multimask_outputs = config.multimask_outputs
        self.num_mask_tokens = config.multimask_outputs + 1

    def __call__(self, *given: Any, multimask_output: bool | None = None, **named: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (P, M, 4h, 4w) and IoU (P, M); the arguments are those of `predict_masks` and `multimask_output`."""
        if given and isinstance(given[0], PreparedImage):
            answer: tuple[Tensor, Tensor] = super().__call__(*given)
            return answer
        if multimask_output is None:
            given, multimask_output = given[:-1], given[-1]
        logits, iou = self.predict_masks(*given, **named)
        chosen = slice(1, None) if multimask_output else slice(0, 1)
        return logits[:, chosen], iou[:, chosen]

    def predict_masks(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """All masks of P prompts on one image: logits (P, 1 + M, 4h, 4w) and IoU (P, 1 + M).

        Raises: InputError for a model whose embedding has finer maps, which these arguments cannot carry.
        """
        if self.config.skip_finer:
            raise InputError(
                "this model's mask decoder needs the finer maps of the embedding, which the public call has no place "
                "for; use SamPredictor, Sam.forward or anymask.Predictor"
            )
        prepared = PreparedImage(ImageEmbedding(image_embeddings), image_pe, torch.zeros_like(image_pe[..., :1, :1]))
        encoding = PromptEncoding(sparse_prompt_embeddings, dense_prompt_embeddings)
        answer: tuple[Tensor, Tensor] = super().__call__(prepared, encoding, ALL_MASKS)
        return answer


class Sam(ours.Sam):
    """Our model with the public package's methods. Everything that takes ours takes this one."""

    image_format: str = "RGB"

    def __init__(self, config: SamConfig) -> None:
        super().__init__(config)
        if isinstance(config.image_encoder, VitConfig):
            self.image_encoder = ImageEncoderViT(config.image_encoder, config.input_size)
        else:
            vars(self.image_encoder)["img_size"] = config.input_size
        self.prompt_encoder = PublicPromptEncoder(config.prompt_encoder, config.input_size)
        self.mask_decoder = PublicMaskDecoder(config.mask_decoder)

    @staticmethod
    def adopt(model: ours.Sam) -> Sam:
        """`model` with the public methods; the weights are shared, not copied."""
        with torch.device("meta"):
            public = Sam(model.config)
        public.load_state_dict(model.state_dict(), assign=True)
        public.pixel_mean, public.pixel_std = model.pixel_mean, model.pixel_std
        return public.train(model.training)

    def embed(self, images: Tensor) -> ImageEmbedding:
        """As ours, whatever the encoder gives."""
        found = self.image_encoder(images)
        return found if isinstance(found, ImageEmbedding) else ImageEmbedding(found)

    def preprocess(self, x: Tensor) -> Tensor:
        """(3, h, w) or (B, 3, h, w) RGB 0..255 -> the same number of axes, normalised and padded."""
        return super().preprocess(x) if x.ndim == 4 else super().preprocess(x[None])[0]

    def postprocess_masks(self, masks: Tensor, input_size: Sequence[int], original_size: Sequence[int]) -> Tensor:
        """(P, M, m, m) logits -> (P, M, H, W) at `original_size`, the part beyond `input_size` cut off as padding."""
        return frame_of(input_size, original_size, self.input_size).to_original_logits(masks)

    def forward(self, batched_input: Sequence[Mapping[str, Any]], multimask_output: bool) -> list[dict[str, Tensor]]:
        """Answers to the prompts of several images, one dictionary an image, as the public `Sam.forward`.

        In: "image" (3, h, w) resized for the model, "original_size" (H, W), and any of "point_coords" (P, N, 2) with
        "point_labels" (P, N), "boxes" (P, 4), "mask_inputs" (P, 1, m, m), all in input pixels. Out: "masks"
        (P, M, H, W) bool, "iou_predictions" (P, M), "low_res_logits" (P, M, m, m).
        """
        with torch.no_grad():
            embedding = self.embed(torch.stack([self.preprocess(record["image"]) for record in batched_input]))
            return [
                self._answer(record, embedding[index], multimask_output) for index, record in enumerate(batched_input)
            ]

    def _answer(self, record: Mapping[str, Any], embedding: ImageEmbedding, multimask: bool) -> dict[str, Tensor]:
        points = (record["point_coords"], record["point_labels"]) if "point_coords" in record else None
        batch = prompt_batch(points, record.get("boxes"), record.get("mask_inputs"))
        answer = self.decode(self.prepare(embedding), batch.to(self.device), multimask=multimask)
        full = self.postprocess_masks(answer.logits, record["image"].shape[-2:], record["original_size"])
        return {
            "masks": full > self.mask_threshold,
            "iou_predictions": answer.iou,
            "low_res_logits": answer.logits,
        }


def frame_of(input_hw: Sequence[int], original_hw: Sequence[int], input_size: int) -> Frame:
    """The frame of sizes as public code carries them about."""
    return Frame((int(original_hw[0]), int(original_hw[1])), (int(input_hw[0]), int(input_hw[1])), input_size)

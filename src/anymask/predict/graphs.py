"""The model as fixed graphs for export: the same layers, with flags and arithmetic where Python would branch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.model.embedding import ImageEmbedding
from anymask.model.prompt_encoder import PromptEncoding, draw_prompts
from anymask.model.sam import Sam
from anymask.prompts.types import PADDING, PromptBatch

_NOTHING = -1e6
"""Added to a logit, makes it background for certain."""


class EncoderGraph(nn.Module):
    """A picture to its embedding; normalisation and padding are part of the graph."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(h, w, 3) uint8 RGB whose longest side is the input size -> the main map, then the finer ones, B = 1."""
        embedding = self.model.embed(self.model.preprocess(pixels.permute(2, 0, 1)[None]))
        return embedding.main, *embedding.finer


class DecoderGraph(nn.Module):
    """Prompts on an embedded picture to all low-res logits and predicted IoU."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        maps: list[Tensor],
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Logits (P, 1 + M, m, m) and IoU (P, 1 + M): the single-mask token's first, then the ambiguous ones.

        `maps` are the embedding's, main first; `point_coords` (P, N, 2) input pixels; `point_labels` (P, N) float, see
        `prompts.types`; `mask_input` (P, 1, m, m) logits, read where `has_mask_input` (P,) is 1, of no effect where 0.
        """
        prepared = self.model.prepare(ImageEmbedding(maps[0], tuple(maps[1:])))
        batch = PromptBatch(point_coords, point_labels.long(), mask_input)
        encoding = self._encode(batch, has_mask_input[:, None, None, None])
        logits, iou = self.model.mask_decoder.forward_folded(prepared, encoding)
        return logits, iou

    def _encode(self, prompts: PromptBatch, has_mask: Tensor) -> PromptEncoding:
        """What the prompt encoder makes of each prompt with its mask or without, chosen by a factor of 1 or 0."""
        encoder, size = self.model.prompt_encoder, self.model.input_size
        sparse = encoder.embed_points(prompts.points_xy, prompts.labels, size)
        no_mask = encoder.no_mask_embed.weight[0, :, None, None] * (1 - has_mask)
        assert prompts.mask_logits is not None
        if not encoder.config.draw_prompts:
            return PromptEncoding(sparse, encoder.mask_downscaling(prompts.mask_logits) * has_mask + no_mask)
        # A drawn mask of zero logits is the same as none.
        shown = PromptBatch(prompts.points_xy, prompts.labels, prompts.mask_logits * has_mask)
        maps = draw_prompts(shown, size)
        half = encoder.mask_downscaling[:3](maps)
        return PromptEncoding(sparse, encoder.mask_downscaling[3:](half) + no_mask, (half, maps))


class BrowserGraph(nn.Module):
    """`DecoderGraph`, and which mask to show with its box: all that a page needs of a click."""

    def __init__(self, model: Sam, *, only_best: bool = False) -> None:
        super().__init__()
        self.decoder = DecoderGraph(model)
        self.only_best = only_best

    def forward(
        self,
        maps: list[Tensor],
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits (P, K, m, m), IoU (P, K), best (P,) int32 and its box (P, 4); K is 1 + M, or 1 for `only_best`.

        The best mask is the one of highest predicted IoU among the ambiguous ones for a single point without a mask,
        and the single-mask token's for all other prompts. Its box is x0, y0, x1, y1 in pixels of a picture of
        `orig_im_size` (height, width) float (give the input size twice for input pixels), zeros for an empty mask.
        """
        logits, iou = self.decoder(maps, point_coords, point_labels, mask_input, has_mask_input)
        best = best_mask(iou, point_labels, has_mask_input)
        chosen = best[:, None, None, None].expand(-1, 1, *logits.shape[2:])
        shown = logits.gather(1, chosen)
        model = self.decoder.model
        box = mask_box(shown[:, 0] - model.mask_threshold, orig_im_size, model.input_size)
        if self.only_best:
            logits, iou = shown, iou.gather(1, best[:, None])
        return logits, iou, best.to(torch.int32), box


class WholeGraph(nn.Module):
    """Picture and prompts to masks in one graph: `EncoderGraph`, then `BrowserGraph`."""

    def __init__(self, model: Sam, *, only_best: bool = False) -> None:
        super().__init__()
        self.encoder = EncoderGraph(model)
        self.browser = BrowserGraph(model, only_best=only_best)

    def forward(
        self,
        pixels: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `BrowserGraph`, with the picture as in `EncoderGraph`."""
        maps = list(self.encoder(pixels))
        answer: tuple[Tensor, Tensor, Tensor, Tensor] = self.browser(
            maps, point_coords, point_labels, mask_input, has_mask_input, orig_im_size
        )
        return answer


def best_mask(iou: Tensor, labels: Tensor, has_mask: Tensor) -> Tensor:
    """(P,) index into the (P, 1 + M) masks: the best ambiguous one for a lone point, else 0."""
    if iou.shape[1] == 1:  # a model without ambiguous masks
        return torch.zeros_like(labels[:, 0], dtype=torch.int64)
    tokens = (labels != PADDING).to(iou.dtype).sum(dim=1)
    is_ambiguous = (tokens == 1) & (has_mask == 0)
    return is_ambiguous.to(torch.int64) * (1 + iou[:, 1:].argmax(dim=1))


def mask_box(logits: Tensor, original_hw: Tensor, input_size: int) -> Tensor:
    """(P, m, m) logits -> (P, 4) x0, y0, x1, y1 in original pixels, right and bottom exclusive, zeros if empty.

    The highest logit of each column (and row) is brought to one value an input pixel by linear interpolation: nearly
    what the box of the upsampled mask would be, without upsampling it.
    """
    scale = input_size / original_hw.max()
    resized_hw = (original_hw * scale + 0.5).floor().clamp(min=1)  # as Frame.fit
    cell = torch.arange(logits.shape[-1], device=logits.device, dtype=logits.dtype) * (input_size / logits.shape[-1])
    # What lies in the padding beside or below the picture must not widen the box inside it.
    below, beside = ((cell >= length).to(logits.dtype) * _NOTHING for length in resized_hw)
    x0, x1 = _extent((logits + below[:, None]).amax(dim=1), resized_hw[1], input_size)
    y0, y1 = _extent((logits + beside).amax(dim=2), resized_hw[0], input_size)
    is_filled = ((x1 > x0) & (y1 > y0)).to(logits.dtype)
    back_y, back_x = original_hw / resized_hw
    box = torch.stack((x0 * back_x, y0 * back_y, x1 * back_x, y1 * back_y), dim=1)
    return box * is_filled[:, None]


def _extent(profile: Tensor, length: Tensor, input_size: int) -> tuple[Tensor, Tensor]:
    """(P, m) highest logits along one axis -> (P,) first pixel above 0 and one past the last, before `length`."""
    fine = F.interpolate(profile[:, None], size=input_size, mode="linear", align_corners=False)[:, 0]
    pixel = torch.arange(input_size, device=fine.device, dtype=fine.dtype)
    inside = ((fine > 0) & (pixel < length)).to(fine.dtype)
    # Outside pixels count as "past the end" for the first and as 0 for the last.
    first = (pixel * inside + input_size * (1 - inside)).amin(dim=1)
    return first, ((pixel + 1) * inside).amax(dim=1)

"""Mask decoder: 1, 16 and 64 clicks on one embedding, ours beside the public one.  python benchmarks/decoder.py"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.model.embedding import ImageEmbedding
from anymask.prompts.types import PromptBatch
from benchmarks.harness import Options, Report, run
from benchmarks.models import our_vit_b, public_vit_b, weights_file

COUNTS = {"1 prompt": 1, "16 prompts": 16, "64 prompts": 64}


def given(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, 256, 64, 64) embedding and (count, 1, 2) clicks in input pixels."""
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(1, 256, 64, 64, generator=generator) * 0.1
    return embedding, torch.rand(count, 1, 2, generator=generator) * 1024


def ours() -> dict[str, Callable[[], list[np.ndarray]]]:
    """What `Predictor` does per batch of clicks; the image-side work of `prepare` is part of setting an image."""
    model = our_vit_b()

    def case(count: int) -> Callable[[], list[np.ndarray]]:
        embedding, points = given(count)
        with torch.inference_mode():
            prepared = model.prepare(ImageEmbedding(embedding))
        padded = torch.cat((points, torch.zeros(count, 1, 2)), 1)
        prompts = PromptBatch(padded, torch.tensor([[1, -1]] * count))

        def decode() -> list[np.ndarray]:
            with torch.inference_mode():
                answer = model.decode(prepared, prompts, multimask=True)
            return [answer.logits.numpy(), answer.iou.numpy()]

        return decode

    return {name: case(count) for name, count in COUNTS.items()}


def peer() -> dict[str, Callable[[], list[np.ndarray]]]:
    model = public_vit_b()

    def case(count: int) -> Callable[[], list[np.ndarray]]:
        embedding, points = given(count)

        def decode() -> list[np.ndarray]:
            with torch.inference_mode():
                sparse, dense = model.prompt_encoder(points=(points, torch.ones(count, 1)), boxes=None, masks=None)
                logits, iou = model.mask_decoder(
                    image_embeddings=embedding,
                    image_pe=model.prompt_encoder.get_dense_pe(),
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=True,
                )
            return [logits.numpy(), iou.numpy()]

        return decode

    return {name: case(count) for name, count in COUNTS.items()}


def main() -> Report:
    weights_file()
    return run("decoder", "segment-anything 1.0", ours, peer, Options(cases=list(COUNTS), turns=21, warmups=3))


if __name__ == "__main__":
    main()

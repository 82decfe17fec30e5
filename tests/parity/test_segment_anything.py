"""The public PyTorch implementation and ours, the same random weights in both, give the same numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.model.embedding import ImageEmbedding
from anymask.model.image_encoder import VitConfig, VitEncoder
from anymask.model.sam import Sam, SamConfig
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, PADDING, PromptBatch
from tests.public_sam import import_public_sam, randomise

public = import_public_sam()
CLOSE = 1e-4
"""Largest absolute difference allowed, on outputs whose deviation is about 1."""
NAMES = ["vit_b", "vit_l", "vit_h"]


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=CLOSE)
    assert 0.005 < theirs.std() < 20, "outputs that are all alike, or huge, would prove nothing"


def public_encoder(config: VitConfig) -> Any:
    """The public encoder of the same sizes with random weights."""
    encoder = public.modeling.ImageEncoderViT(
        depth=config.depth,
        embed_dim=config.dim,
        img_size=config.native_size,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=config.heads,
        use_rel_pos=True,
        global_attn_indexes=config.global_blocks,
        window_size=config.window,
        out_chans=config.out_dim,
    ).eval()
    return randomise(encoder)


def shortened(name: str) -> VitConfig:
    """One windowed and one global block of full width, at half the input size."""
    full = VitConfig.named(name)
    return VitConfig(dim=full.dim, heads=full.heads, depth=2, global_blocks=(1,), native_size=512)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_of_all_parameters_are_the_public_ones(name: str) -> None:
    with torch.device("meta"):
        theirs, ours = public.sam_model_registry[name](), Sam(SamConfig.named(name))
    expected = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    got = {key: tuple(value.shape) for key, value in ours.state_dict().items()}
    assert got == expected


@pytest.mark.parametrize("name", NAMES)
def test_global_blocks_are_the_public_ones(name: str) -> None:
    with torch.device("meta"):
        theirs, ours = public.sam_model_registry[name]().image_encoder, VitEncoder(VitConfig.named(name))
    assert [block.is_global for block in ours.blocks] == [block.window_size == 0 for block in theirs.blocks]
    assert [block.attn.heads for block in ours.blocks] == [block.attn.num_heads for block in theirs.blocks]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gradients", [False, True])
def test_shortened_encoders_agree(name: str, gradients: bool) -> None:
    config = shortened(name)
    theirs, ours = public_encoder(config), VitEncoder(config).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 512, 512, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(images)
    with torch.set_grad_enabled(gradients):
        assert_close(ours(images).main.detach(), expected)


@pytest.mark.parametrize("size", [160, 240, 320, 448])
def test_encoders_agree_at_sizes_that_the_tables_are_not_stored_for(size: int) -> None:
    config = VitConfig(dim=64, depth=3, heads=2, global_blocks=(1, 2), native_size=320)
    theirs, ours = public_encoder(config), VitEncoder(config).eval()
    ours.load_state_dict(theirs.state_dict())
    # The public code resizes its relative tables by itself, its absolute one it does not.
    table = theirs.pos_embed.data.permute(0, 3, 1, 2)
    resized = F.interpolate(table, (size // 16, size // 16), mode="bicubic", align_corners=False)
    theirs.pos_embed.data = resized.permute(0, 2, 3, 1)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_close(ours(images).main, theirs(images))


def paired(name: str) -> tuple[Any, Sam]:
    """The whole public model with random weights, and ours with the same ones."""
    theirs = randomise(public.sam_model_registry[name]().eval())
    ours = Sam.from_name(name)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.fixture(scope="module")
def vit_b() -> tuple[Any, Sam]:
    return paired("vit_b")


def asked(kind: str) -> tuple[dict[str, Any], PromptBatch]:
    """Five prompts of one kind: what the public prompt encoder takes, and the same as ours takes it."""
    generator = torch.Generator().manual_seed(2)
    count, mask = 5, None
    points, boxes = torch.zeros(count, 0, 2), torch.zeros(count, 0, 2)
    labels, corners = torch.zeros(count, 0, dtype=torch.int64), torch.zeros(count, 0, dtype=torch.int64)
    if "point" in kind:
        number = 3 if "points" in kind else 1
        points = torch.rand(count, number, 2, generator=generator) * 1023
        labels = torch.randint(0, 2, (count, number), generator=generator)
    if "box" in kind:
        low = torch.rand(count, 2, generator=generator) * 500
        boxes = torch.stack((low, low + 20 + torch.rand(count, 2, generator=generator) * 500), dim=1)
        corners = torch.tensor([BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]).expand(count, 2)
    if "mask" in kind:
        mask = 5 * torch.randn(count, 1, 256, 256, generator=generator)
    theirs = {
        "points": (points, labels) if points.shape[1] else None,
        "boxes": boxes.flatten(1) if boxes.shape[1] else None,
        "masks": mask,
    }
    if points.shape[1] and not boxes.shape[1]:
        boxes, corners = torch.zeros(count, 1, 2), torch.full((count, 1), PADDING)
    return theirs, PromptBatch(torch.cat((points, boxes), 1), torch.cat((labels, corners), 1), mask)


KINDS = ["point", "points", "box", "points+box", "mask", "point+mask", "points+box+mask"]


@pytest.mark.slow
@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gradients", [False, True])
def test_masks_and_scores_agree(vit_b: tuple[Any, Sam], kind: str, multimask: bool, gradients: bool) -> None:
    theirs, ours = vit_b
    prompts, batch = asked(kind)
    main = torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        sparse, dense = theirs.prompt_encoder(**prompts)
        logits, iou = theirs.mask_decoder(
            image_embeddings=main,
            image_pe=theirs.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
        )
    with torch.set_grad_enabled(gradients):
        got = ours.decode(ours.prepare(ImageEmbedding(main)), batch, multimask=multimask)
    assert_close(got.logits.detach(), logits)
    assert_close(got.iou.detach(), iou)


@pytest.mark.slow
def test_vit_b_embeds_and_segments_a_photograph_like_the_public_model(vit_b: tuple[Any, Sam], photo: Any) -> None:
    theirs, ours = vit_b
    predictor = public.SamPredictor(theirs)
    predictor.set_image(photo)
    with torch.no_grad():
        pixels = torch.tensor(predictor.transform.apply_image(photo)).permute(2, 0, 1)[None]
        embedding = ours.embed(ours.preprocess(pixels))
        assert_close(embedding.main, predictor.features)
        point = predictor.transform.apply_coords_torch(torch.tensor([[[300.0, 200.0]]]), photo.shape[:2])
        _, iou, logits = predictor.predict_torch(point, torch.ones(1, 1))
        batch = PromptBatch(torch.cat((point, torch.zeros(1, 1, 2)), 1).float(), torch.tensor([[1, PADDING]]))
        got = ours.decode(ours.prepare(embedding), batch, multimask=True)
    assert_close(got.logits, logits)
    assert_close(got.iou, iou)

"""The public `Sam` and its parts, called one by one as training scripts call them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.compat.modeling import Sam, prompt_batch
from anymask.errors import InputError
from anymask.model.weights import load, model_hash
from anymask.predict import Predictor
from anymask.prompts.types import Prompt
from tests.compat.conftest import Pair, assert_alike
from tests.paired_models import ours_with_weights_of

Pixels = npt.NDArray[np.uint8]


def resized(package: ModuleType, model: Any, scene: Pixels) -> torch.Tensor:
    pixels = package.SamPredictor(model).transform.apply_image(scene)
    return torch.as_tensor(pixels).permute(2, 0, 1).contiguous()


@pytest.mark.parametrize("multimask_output", [True, False])
def test_a_batched_list_of_dicts(pair: Pair, scene: Pixels, multimask_output: bool) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        batched = [
            {
                "image": resized(package, model, scene),
                "point_coords": torch.tensor([[[50.0, 60.0], [9, 9]], [[200, 100], [30, 40]]]),
                "point_labels": torch.tensor([[1, 0], [1, 1]]),
                "original_size": scene.shape[:2],
            },
            {
                "image": resized(package, model, scene[:60]),
                "boxes": torch.tensor([[5.0, 5, 90, 60], [30, 20, 200, 64], [1, 1, 40, 40]]),
                "mask_inputs": torch.linspace(-3, 3, 64 * 64).view(1, 1, 64, 64).expand(3, -1, -1, -1),
                "original_size": (60, 230),
            },
        ]
        return model(batched, multimask_output=multimask_output)

    assert_alike(script(pair.ours, pair.our_model), script(pair.public, pair.public_model))


@pytest.mark.parametrize("with_mask", [True, False])
def test_parts_called_as_a_training_script_calls_them(pair: Pair, scene: Pixels, with_mask: bool) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        image = model.preprocess(resized(package, model, scene)[None])
        embedding = model.image_encoder(image)
        points = torch.tensor([[[50.0, 60.0]], [[9, 9]]]), torch.ones(2, 1, dtype=torch.int)
        masks = torch.linspace(-3, 3, 2 * 64 * 64).view(2, 1, 64, 64) if with_mask else None
        sparse, dense = model.prompt_encoder(points=points, boxes=None, masks=masks)
        logits, iou = model.mask_decoder(
            image_embeddings=embedding,
            image_pe=model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
        full = model.postprocess_masks(logits, (167, 256), (150, 230))
        loss = full.square().mean() + iou.square().mean()
        model.zero_grad()
        loss.backward()
        slopes = [
            model.mask_decoder.iou_token.weight.grad,
            model.prompt_encoder.point_embeddings[1].weight.grad,
            model.image_encoder.pos_embed.grad,
        ]
        sizes = model.prompt_encoder.image_embedding_size, model.prompt_encoder.mask_input_size
        found = [tensor.detach() for tensor in (image, embedding, sparse, dense, logits, iou, full, *slopes)]
        model.zero_grad()
        return found, sizes, model.prompt_encoder.embed_dim, model.mask_decoder.num_mask_tokens

    assert_alike(script(pair.ours, pair.our_model), script(pair.public, pair.public_model))


def test_an_image_without_batch_axis_is_preprocessed(pair: Pair, scene: Pixels) -> None:
    image = resized(pair.ours, pair.our_model, scene)
    assert_alike(pair.our_model.preprocess(image), pair.public_model.preprocess(image))


def test_an_adopted_model_shares_weights_and_answers_in_the_predictor(pair: Pair, scene: Pixels) -> None:
    ours = ours_with_weights_of(pair.public_model)
    adopted = Sam.adopt(ours)
    assert model_hash(adopted) == model_hash(ours)
    assert adopted.mask_decoder.iou_token.weight.data_ptr() == ours.mask_decoder.iou_token.weight.data_ptr()
    answers = []
    for model in (ours, adopted):
        predictor = Predictor(model)
        predictor.set_image(scene)
        answers.append(predictor.predict(Prompt(points_xy=[[50, 60]])).logits)
    assert np.array_equal(*answers)


def test_a_model_with_finer_maps_answers_as_a_whole_and_refuses_in_parts(scene: Pixels) -> None:
    model = Sam.adopt(load("tiny"))
    image = torch.from_numpy(scene).permute(2, 0, 1)
    record = {"image": image, "original_size": (150, 230), "point_coords": torch.tensor([[[50.0, 60]]])}
    (answer,) = model([record | {"point_labels": torch.ones(1, 1)}], multimask_output=True)
    assert answer["masks"].shape == (1, 3, 150, 230)
    sparse, dense = model.prompt_encoder(points=(torch.zeros(1, 1, 2), torch.ones(1, 1)))
    with pytest.raises(InputError, match="needs the finer maps"):
        model.mask_decoder(torch.zeros(1), model.prompt_encoder.get_dense_pe(), sparse, dense, True)


def test_prompts_of_nothing_are_one_prompt_without_tokens() -> None:
    batch = prompt_batch(None, None, None)
    assert batch.points_xy.shape == (1, 0, 2)

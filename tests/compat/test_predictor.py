"""A script written for the public `SamPredictor` gives the same with our import."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.compat import SamPredictor
from anymask.model.weights import load
from tests.compat.conftest import Pair, assert_alike

Pixels = npt.NDArray[np.uint8]

POINT = {"point_coords": np.array([[60, 40]]), "point_labels": np.array([1])}
POINTS = {"point_coords": np.array([[60.5, 40], [10, 20], [200, 140]]), "point_labels": np.array([1, 0, 1])}
BOX = {"box": np.array([20, 10, 150, 120])}
LOGITS = {"mask_input": np.random.default_rng(0).standard_normal((1, 64, 64)).astype(np.float32)}

PROMPTS: dict[str, dict[str, Any]] = {
    "a point": POINT,
    "a point, one mask": POINT | {"multimask_output": False},
    "points": POINTS,
    "a box": BOX | {"multimask_output": False},
    "a box of two axes": {"box": BOX["box"][None]},
    "points and a box": POINTS | BOX,
    "logits": LOGITS,
    "everything": POINTS | BOX | LOGITS,
    "logits returned": POINT | {"return_logits": True},
    "nothing": {},
}


def both(pair: Pair, script: Callable[[ModuleType, Any], Any]) -> None:
    assert_alike(script(pair.ours, pair.our_model), script(pair.public, pair.public_model))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_predict(pair: Pair, scene: Pixels, prompt: str) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        predictor = package.SamPredictor(model)
        predictor.set_image(scene)
        return predictor.predict(**PROMPTS[prompt])

    both(pair, script)


@pytest.mark.parametrize("return_logits", [True, False])
def test_predict_torch_on_batches(pair: Pair, scene: Pixels, return_logits: bool) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        predictor = package.SamPredictor(model)
        predictor.set_image(scene)
        boxes = torch.tensor([[5.0, 5, 90, 60], [30, 20, 200, 140], [0, 0, 229, 149]])
        moved = predictor.transform.apply_boxes_torch(boxes, scene.shape[:2])
        points = predictor.transform.apply_coords_torch(torch.tensor([[[50.0, 30]], [[9, 9]], [[99, 99]]]), (150, 230))
        labels = torch.tensor([[1], [0], [1]], dtype=torch.int)
        return [
            predictor.predict_torch(None, None, moved, multimask_output=False, return_logits=return_logits),
            predictor.predict_torch(points, labels, moved, return_logits=return_logits),
            predictor.predict_torch(point_coords=points, point_labels=labels, return_logits=return_logits),
        ]

    both(pair, script)


def test_images_in_bgr_and_as_tensors_and_their_embedding(pair: Pair, scene: Pixels) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        predictor = package.SamPredictor(model)
        predictor.set_image(scene, image_format="BGR")
        first = predictor.get_image_embedding()
        resized = predictor.transform.apply_image(scene)
        tensor = torch.as_tensor(resized).permute(2, 0, 1).contiguous()[None]
        predictor.set_torch_image(tensor, scene.shape[:2])
        second = predictor.get_image_embedding()
        sizes = predictor.original_size, predictor.input_size, predictor.is_image_set, predictor.device
        predictor.reset_image()
        return first, second, sizes, predictor.is_image_set, predictor.features

    both(pair, script)


def test_refining_with_the_logits_of_the_answer_before(pair: Pair, scene: Pixels) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        predictor = package.SamPredictor(model)
        predictor.set_image(scene)
        _, scores, logits = predictor.predict(**POINT)
        best = logits[np.argmax(scores)]
        return predictor.predict(**POINTS, mask_input=best[None], multimask_output=False)

    both(pair, script)


def test_features_kept_from_before_are_set_again(pair: Pair, scene: Pixels) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        first = package.SamPredictor(model)
        first.set_image(scene)
        second = package.SamPredictor(model)
        second.features, second.is_image_set = first.features, True
        second.original_size, second.input_size = first.original_size, first.input_size
        return second.predict(**POINT)

    both(pair, script)


def raised(script: Callable[[ModuleType, Any], Any], package: ModuleType, model: Any) -> tuple[type, str]:
    with pytest.raises(Exception) as caught:
        script(package, model)
    return caught.type, str(caught.value)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda package, model, _: package.SamPredictor(model).predict(**POINT),
        lambda package, model, _: package.SamPredictor(model).predict_torch(None, None),
        lambda package, model, _: package.SamPredictor(model).get_image_embedding(),
        lambda package, model, scene: package.SamPredictor(model).set_image(scene, "HSV"),
        lambda package, model, _: package.SamPredictor(model).set_torch_image(torch.zeros(1, 3, 9, 9), (9, 9)),
    ],
)
def test_mistakes_raise_the_same_errors(pair: Pair, scene: Pixels, mistake: Callable[..., Any]) -> None:
    theirs = raised(lambda package, model: mistake(package, model, scene), pair.public, pair.public_model)
    assert raised(lambda package, model: mistake(package, model, scene), pair.ours, pair.our_model) == theirs


def test_points_without_labels_are_refused_as_before(pair: Pair, scene: Pixels) -> None:
    def script(package: ModuleType, model: Any) -> Any:
        predictor = package.SamPredictor(model)
        predictor.set_image(scene)
        predictor.predict(point_coords=np.array([[1, 2]]))

    assert raised(script, pair.ours, pair.our_model) == raised(script, pair.public, pair.public_model)


def test_the_embedded_model_answers_too(scene: Pixels) -> None:
    predictor = SamPredictor(load("tiny"))
    predictor.set_image(scene)
    masks, scores, logits = predictor.predict(**POINT)
    assert masks.shape == (3, 150, 230)
    assert scores.shape == (3,)
    again, _, _ = predictor.predict(**POINT, mask_input=logits[:1], multimask_output=False)
    assert again.shape == (1, 150, 230)

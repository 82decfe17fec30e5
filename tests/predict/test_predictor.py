"""Any mix of prompts, on one picture or several, answered in order and as if each came alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from anymask.errors import ImageError, InputError, PromptError, UnsupportedPromptError
from anymask.model.sam import Sam
from anymask.predict import Predictor
from anymask.prompts.types import Prompt

Pixels = npt.NDArray[np.uint8]


def mixed_prompts(mask_size: int, count: int = 40) -> list[Prompt]:
    """Prompts of every kind for a picture of 60 x 90, with ragged numbers of points."""
    rng = np.random.default_rng(3)
    prompts = []
    for index in range(count):
        number = 1 + index % 4
        points = rng.uniform((0, 0), (90, 60), (number, 2))
        labels = rng.integers(0, 2, number)
        box = np.sort(rng.uniform((0, 0), (90, 60), (2, 2)), axis=0).reshape(4)
        mask = rng.random((60, 90)) > 0.5
        logits = rng.standard_normal((mask_size, mask_size))
        prompts.append(
            [
                Prompt(points_xy=points, labels=labels),
                Prompt(box_xyxy=box),
                Prompt(points_xy=points, labels=labels, box_xyxy=box),
                Prompt(mask=mask),
                Prompt(points_xy=points, mask_logits=logits),
                Prompt(points_xy=points, box_xyxy=box, mask=mask),
            ][index % 6]
        )
    return prompts


@pytest.mark.parametrize("multimask", [None, True, False])
def test_a_batch_equals_a_loop(predictor: Predictor, picture: Pixels, multimask: bool | None) -> None:
    predictor.set_image(picture)
    prompts = mixed_prompts(predictor.model.mask_size)
    together = predictor.predict(prompts, multimask=multimask)
    assert [answer.prompt for answer in together] == prompts
    for prompt, answer in zip(prompts, together, strict=True):
        alone = predictor.predict(prompt, multimask=multimask)
        assert answer.logits.shape == alone.logits.shape
        assert np.abs(answer.logits - alone.logits).max() < 1e-5
        assert np.abs(answer.predicted_iou - alone.predicted_iou).max() < 1e-5


def test_the_size_of_chunks_changes_nothing(model: Sam, picture: Pixels) -> None:
    prompts = mixed_prompts(model.mask_size)
    few, many = Predictor(model, prompts_at_once=3), Predictor(model, prompts_at_once=1000)
    few.set_image(picture)
    many.set_image(picture)
    for a, b in zip(few.predict(prompts), many.predict(prompts), strict=True):
        assert np.abs(a.logits - b.logits).max() < 1e-5


def test_a_point_gets_three_masks_and_all_else_one(predictor: Predictor, picture: Pixels) -> None:
    predictor.set_image(picture)
    size = predictor.model.mask_size
    point, box = Prompt(points_xy=[[5, 6]]), Prompt(box_xyxy=[1, 2, 30, 40])
    assert predictor.predict(point).logits.shape == (3, size, size)
    assert predictor.predict(box).logits.shape == (1, size, size)
    assert len(predictor.predict(point, multimask=False)) == 1
    assert len(predictor.predict(box, multimask=True)) == 3


def test_a_picture_is_the_same_from_a_file_pil_numpy_or_torch(
    predictor: Predictor, picture: Pixels, tmp_path: Path
) -> None:
    Image.fromarray(picture).save(tmp_path / "p.png")
    sources = [
        picture,
        tmp_path / "p.png",
        str(tmp_path / "p.png"),
        (tmp_path / "p.png").read_bytes(),
        Image.fromarray(picture),
        torch.from_numpy(picture).permute(2, 0, 1),
    ]
    embedded = [predictor.embed(source) for source in sources]
    assert len({image.image_sha256 for image in embedded}) == 1
    for image in embedded[1:]:
        assert torch.equal(image.embedding.main, embedded[0].embedding.main)


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_several_pictures_of_any_sizes_are_prompted_by_index(
    predictor: Predictor, picture: Pixels, at_once: int
) -> None:
    pictures = [picture, picture[::-1], picture[:20, :70], picture.transpose(1, 0, 2)]
    embedded = predictor.set_images(pictures, at_once=at_once)
    assert [image.frame.original_hw for image in embedded] == [(60, 90), (60, 90), (20, 70), (90, 60)]
    prompt = Prompt(points_xy=[[10, 15]])
    for index, each in enumerate(pictures):
        alone = Predictor(predictor.model)
        alone.set_image(each)
        answer = predictor.predict(prompt, image=index)
        assert np.abs(answer.logits - alone.predict(prompt).logits).max() < 1e-5
        assert answer.masks().shape == (3, *each.shape[:2])


def test_prompting_without_an_image_says_what_to_call(predictor: Predictor, picture: Pixels) -> None:
    with pytest.raises(PromptError, match="call set_image"):
        predictor.predict(Prompt(points_xy=[[1, 1]]))
    predictor.set_image(picture)
    with pytest.raises(PromptError, match="image 1 was prompted but 1 are set"):
        predictor.predict(Prompt(points_xy=[[1, 1]]), image=1)
    predictor.reset()
    with pytest.raises(PromptError, match="0 are set"):
        predictor.predict(Prompt(points_xy=[[1, 1]]))


def test_a_bad_picture_leaves_the_one_before(predictor: Predictor, picture: Pixels) -> None:
    before = predictor.set_image(picture)
    with pytest.raises(ImageError):
        predictor.set_image(np.zeros((4, 4, 7), np.uint8))
    assert predictor.images == (before,)


def test_text_and_prompts_outside_are_refused(predictor: Predictor, picture: Pixels) -> None:
    predictor.set_image(picture)
    with pytest.raises(UnsupportedPromptError, match="needs a text-conditioned model"):
        predictor.predict(Prompt(text="a wheel"))
    with pytest.raises(PromptError, match="outside the picture of 90 x 60"):
        predictor.predict([Prompt(points_xy=[[1, 1]]), Prompt(points_xy=[[90.5, 1]])])


def test_no_prompts_give_no_answers(predictor: Predictor, picture: Pixels) -> None:
    predictor.set_image(picture)
    assert predictor.predict([]) == []
    assert len(predictor.predict_masks([])) == 0


def test_a_chunk_of_no_prompts_is_refused(small_model: Sam) -> None:
    with pytest.raises(InputError, match="prompts_at_once must be at least 1, got 0"):
        Predictor(small_model, prompts_at_once=0)


def test_an_answer_feeds_the_next_prompt(predictor: Predictor, picture: Pixels) -> None:
    predictor.set_image(picture)
    first = predictor.predict(Prompt(points_xy=[[20, 30]]))
    again = Prompt(points_xy=[[20, 30]], mask_logits=first.logits[first.best])
    assert not np.allclose(predictor.predict(again).logits, first.take(0).logits)


@pytest.mark.parametrize("best", [True, False])
def test_masks_of_many_prompts_come_as_one_set(predictor: Predictor, picture: Pixels, best: bool) -> None:
    predictor.set_image(picture)
    prompts = mixed_prompts(predictor.model.mask_size, 12)
    found = predictor.predict_masks(prompts, multimask=True, best=best)
    answers = predictor.predict(prompts, multimask=True)
    due = [answer.take(answer.best) if best else answer for answer in answers]
    assert len(found) == sum(len(answer) for answer in due)
    assert np.allclose(found.predicted_iou, np.concatenate([answer.predicted_iou for answer in due]), atol=1e-5)
    areas = np.concatenate([answer.masks().sum(axis=(1, 2)) for answer in due])
    assert np.array_equal(found.area_px, areas)


def test_thousands_of_prompts_take_bounded_memory(skip_model: Sam, picture: Pixels) -> None:
    predictor = Predictor(skip_model)
    predictor.set_image(picture)

    def prompts(count: int) -> Iterator[Prompt]:
        return (Prompt(points_xy=[[index % 90, index % 60]]) for index in range(count))

    def peak(count: int) -> int:
        tracemalloc.start()
        assert sum(len(answer) for answer in predictor.predict_iter(prompts(count))) == 3 * count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(2000) < 1.5 * peak(200) + 100_000


def test_the_hash_of_the_model_is_computed_once(small_model: Sam) -> None:
    predictor = Predictor(small_model)
    assert predictor.model_sha256() is predictor.model_sha256()

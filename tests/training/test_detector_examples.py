"""What is learned from, what is measured on, and embeddings that are made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anymask.errors import DatasetError
from anymask.images.load import load_image
from anymask.model.sam import Sam
from anymask.predict.predictor import Predictor
from anymask.training.detector_config import DetectorConfig
from anymask.training.detector_examples import Embeddings, embed_all, split
from tests.training.drawn import drawn_record, png, small_model

CONFIG = DetectorConfig(held_share=0.3)
RECORDS = [drawn_record(str(number), number) for number in range(20)]


@pytest.fixture(scope="module")
def model() -> Sam:
    torch.manual_seed(0)
    return Sam(small_model()).eval()


def test_a_share_is_held_out_by_name_whatever_else_there_is() -> None:
    whole, half = split(RECORDS, None, CONFIG, 64), split(RECORDS[::2], None, CONFIG, 64)
    held = {example.name for example in whole.held}
    assert 2 <= len(held) <= 12
    assert {example.name for example in half.held} == held & {record.name for record in RECORDS[::2]}
    assert not held & {example.name for example in whole.learned}
    assert len(whole.learned) + len(whole.held) == 20


def test_given_pictures_are_measured_on_and_none_of_the_others() -> None:
    data = split(RECORDS[:10], RECORDS[10:], CONFIG, 64)
    assert [example.name for example in data.learned] == [record.name for record in RECORDS[:10]]
    assert [example.name for example in data.held] == [record.name for record in RECORDS[10:]]


def test_pictures_without_any_label_are_left_out_and_counted() -> None:
    data = split([*RECORDS, drawn_record("none", 99, masks=0)], None, CONFIG, 64)
    assert data.skipped == 1


def test_nothing_to_learn_from_or_measure_on_is_told() -> None:
    empty = [drawn_record("none", 99, masks=0)]
    with pytest.raises(DatasetError, match="no mask to learn from"):
        split(empty, RECORDS, CONFIG, 64)
    with pytest.raises(DatasetError, match="no mask to measure on"):
        split(RECORDS, empty, CONFIG, 64)


def test_the_digest_changes_with_every_label() -> None:
    same, other = split(RECORDS, None, CONFIG, 64), replace(RECORDS[0], maps_bytes=RECORDS[1].maps_bytes)
    assert split(RECORDS, None, CONFIG, 64).sha256 == same.sha256
    assert split([other, *RECORDS[1:]], None, CONFIG, 64).sha256 != same.sha256


def test_embeddings_are_those_that_the_server_keeps_and_are_made_once(model: Sam, tmp_path: Path) -> None:
    (example,) = split(RECORDS[:1], RECORDS[1:2], CONFIG, 64).learned
    embeddings = Embeddings(model, tmp_path, 1.0)
    made = embeddings.of(example, is_flipped=False)
    stored = Predictor(model).embed(RECORDS[0].image_bytes).embedding
    assert made.main.dtype == torch.float16
    for one, other in zip((made.main, *made.finer), (stored.main, *stored.finer), strict=True):
        torch.testing.assert_close(one.float(), other, atol=2e-3, rtol=2e-3)
    again = embeddings.of(replace(example, read=lambda: pytest.fail("the picture was read again")), is_flipped=False)
    assert torch.equal(again.main, made.main)


def test_the_mirror_image_is_embedded_as_a_picture_of_its_own(model: Sam, tmp_path: Path) -> None:
    (example,) = split(RECORDS[:1], RECORDS[1:2], CONFIG, 64).learned
    made = Embeddings(model, tmp_path, 1.0).of(example, is_flipped=True)
    mirrored = png(np.ascontiguousarray(load_image(RECORDS[0].image_bytes).pixels[:, ::-1]))
    stored = Predictor(model).embed(mirrored).embedding
    torch.testing.assert_close(made.main.float(), stored.main, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize(("flip", "views"), [(True, 8), (False, 5)])
def test_all_are_embedded_with_progress(model: Sam, tmp_path: Path, flip: bool, views: int) -> None:
    data = split(RECORDS[:3], RECORDS[3:5], CONFIG, 64)
    told: list[tuple[int, int]] = []
    embed_all(Embeddings(model, tmp_path, 1.0), data, flip=flip, on_embedded=lambda *done: told.append(done))
    assert told == [(number, views) for number in range(1, views + 1)]
    assert len(list(tmp_path.glob("*.safetensors"))) == views

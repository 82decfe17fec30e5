"""A small encoder learns what a large one sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError, DatasetError
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, SamConfig
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.model.weights import load
from anymask.runs import RunFolder
from anymask.training.distill import DistillConfig, Distiller, student_of
from anymask.training.losses import LossConfig
from anymask.training.schedule import OptimizerConfig
from tests.model.test_sam import small_vit
from tests.training.drawn import drawn_record, small_model

RECORDS = [drawn_record(str(i), i, masks=0) for i in range(4)]
SMALL = TinyEncoderConfig(dim=32, context_dim=32, context_depth=1)


@pytest.fixture
def teacher() -> Sam:
    torch.manual_seed(0)
    return Sam(small_vit()).eval()


def config(**changes: object) -> DistillConfig:
    fields: dict[str, object] = {
        "encoder": SMALL,
        "steps": 4,
        "pictures": 2,
        "clicks": 2,
        "optimizer": OptimizerConfig(lr=1e-3, warmup_steps=0, milestones=()),
        "checkpoint_every": 2,
        "sheet_every": 0,
    }
    return DistillConfig(**(fields | changes))


def distiller(path: Path, teacher: Sam, asked: DistillConfig) -> Distiller:
    return Distiller(asked, teacher, RECORDS, RunFolder.create(path, asked))


def first_loss(path: Path, teacher: Sam, **changes: object) -> float:
    ready = distiller(path, teacher, config(**changes))
    loss = sum(ready.learn_from(0).losses)
    ready.close()
    return loss


def test_a_student_has_the_teachers_prompt_encoder_and_decoder(teacher: Sam) -> None:
    student = student_of(teacher, SMALL)
    for name, value in teacher.state_dict().items():
        if not name.startswith("image_encoder."):
            assert torch.equal(value, student.state_dict()[name])
    assert student.config.image_encoder == SMALL


def test_an_encoder_whose_embedding_the_decoder_does_not_take_is_refused(teacher: Sam) -> None:
    with pytest.raises(ConfigError, match="16 channels, the large model's decoder takes 32"):
        student_of(teacher, replace(SMALL, dim=16))
    with pytest.raises(ConfigError, match="finer maps"):
        student_of(Sam(small_model()), SMALL)


def test_an_encoder_like_the_teachers_with_its_weights_has_nothing_to_learn(teacher: Sam, tmp_path: Path) -> None:
    encoder = small_vit().image_encoder
    assert isinstance(encoder, VitConfig)
    ready = distiller(tmp_path, teacher, config(encoder=encoder, target="embedding"))
    ready.model.image_encoder.load_state_dict(teacher.image_encoder.state_dict())
    assert sum(ready.learn_from(0).losses) == pytest.approx(0, abs=1e-8)
    assert ready.describe()["cosine"] == pytest.approx(1, abs=1e-5)
    ready.close()


def test_the_loss_is_the_mean_squared_difference_of_the_embeddings(teacher: Sam, tmp_path: Path) -> None:
    ready = distiller(tmp_path, teacher, config(pictures=1))
    (loss,) = ready.learn_from(0).losses
    (view,) = ready.make(0)
    ready.close()
    pixels = torch.from_numpy(view.pixels.astype(np.float32)).permute(2, 0, 1)[None]
    image = (pixels - teacher.pixel_mean) / teacher.pixel_std
    image[..., view.content_hw[0] :, :] = 0
    image[..., view.content_hw[1] :] = 0
    with torch.no_grad():
        difference = ready.model.image_encoder(image).main - teacher.image_encoder(image).main
    assert loss == pytest.approx(float((difference**2).mean()), rel=1e-3)


@pytest.mark.parametrize("target", ["embedding", "masks", "both"])
def test_only_the_encoder_learns_and_every_target_teaches_it(teacher: Sam, tmp_path: Path, target: str) -> None:
    ready = distiller(tmp_path, teacher, config(target=target))
    before = {name: value.clone() for name, value in ready.model.state_dict().items()}
    ready.train()
    after = load(tmp_path / "last.safetensors").state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"image_encoder"}


@pytest.mark.parametrize(
    "change", [{"mask_weight": 0.5}, {"clicks": 3}, {"losses": LossConfig(dice_weight=3.0)}, {"target": "embedding"}]
)
def test_every_choice_about_masks_changes_the_loss(teacher: Sam, tmp_path: Path, change: dict[str, object]) -> None:
    base = first_loss(tmp_path / "base", teacher, target="both")
    assert first_loss(tmp_path / "other", teacher, **({"target": "both"} | change)) != pytest.approx(base, rel=1e-6)


@pytest.mark.slow
def test_the_student_comes_to_see_what_the_teacher_sees(teacher: Sam, tmp_path: Path) -> None:
    optimizer = OptimizerConfig(lr=3e-3, warmup_steps=5, kind="cosine", weight_decay=0.0)
    ready = distiller(tmp_path, teacher, config(steps=120, pictures=4, optimizer=optimizer, checkpoint_every=120))
    ready.train()
    lines = list(RunFolder(tmp_path).metrics())
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    assert lines[-1]["cosine"] > lines[0]["cosine"] + 0.2


def test_a_run_stopped_and_resumed_is_bit_equal_to_one_that_was_not(teacher: Sam, tmp_path: Path) -> None:
    whole = distiller(tmp_path / "whole", teacher, config())
    whole.train()
    cut = distiller(tmp_path / "cut", teacher, config())
    for _ in range(2):
        cut._step()
        cut.step += 1
    cut.save()
    cut.close()
    resumed = distiller(tmp_path / "cut", teacher, config())
    assert resumed.step == 2
    resumed.train()
    one, other = (load(tmp_path / name / "last.safetensors").state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_teacher_sees_a_view_once(teacher: Sam, tmp_path: Path) -> None:
    plain = distiller(tmp_path / "plain", teacher, config(steps=6))
    cached = distiller(tmp_path / "cached", teacher, config(steps=6, embedding_cache_gib=1.0))
    plain.train()
    cached.train()
    assert cached._cache is not None
    assert cached._cache.hits == 12 - len(RECORDS)
    states = plain.model.state_dict(), cached.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_sheets_show_the_answers_of_both(teacher: Sam, tmp_path: Path) -> None:
    distiller(tmp_path, teacher, config(steps=1, sheet_every=1)).train()
    assert (tmp_path / "sheets" / "step_000001.jpg").stat().st_size > 1000


def test_no_picture_at_all_is_refused(teacher: Sam, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no training pictures"):
        Distiller(config(), teacher, [], RunFolder.create(tmp_path, config()))


@pytest.mark.parametrize("field", [{"steps": 0}, {"clicks": 0}, {"mask_weight": -1.0}, {"first_step": 4}])
def test_bad_fields_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        config(**field)


def test_a_wide_tiny_encoder_fits_the_released_decoder() -> None:
    from anymask.recipes import distill_recipe

    encoder = distill_recipe("distill_tiny").encoder
    assert isinstance(encoder, TinyEncoderConfig)
    assert encoder.dim == SamConfig.named("vit_b").mask_decoder.dim

"""The masked autoencoder: nothing hidden is seen, what is learned can be measured, and runs go on to the same bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anymask.errors import ConfigError, DatasetError
from anymask.images.augment import SquareConfig
from anymask.model.encoder_weights import load_encoder
from anymask.model.image_encoder import VitConfig, VitEncoder
from anymask.runs import RunFolder
from anymask.training.group import Group
from anymask.training.loop import Hooks, Progress
from anymask.training.mae import MaeConfig, MaskedAutoencoder, PretrainConfig, Pretrainer
from anymask.training.schedule import OptimizerConfig
from tests.training.drawn import drawn_record

RECORDS = [drawn_record(str(i), i) for i in range(5)]
ENCODER = VitConfig(dim=32, depth=2, heads=2, global_blocks=(1,), window=2, out_dim=16, native_size=64)


def small_mae(**changes: object) -> MaeConfig:
    """Sixteen patches, a decoder of one block."""
    return MaeConfig(**({"encoder": ENCODER, "decoder_dim": 16, "decoder_depth": 1, "decoder_heads": 2} | changes))


def small_pretraining(steps: int = 4, **changes: object) -> PretrainConfig:
    fields: dict[str, object] = {
        "model": small_mae(),
        "steps": steps,
        "pictures": 3,
        "optimizer": OptimizerConfig(lr=1e-3, betas=(0.9, 0.95), warmup_steps=2, kind="cosine"),
        "checkpoint_every": 2,
        "sheet_every": 0,
    }
    return PretrainConfig(**(fields | changes))


def pretrainer(path: Path, config: PretrainConfig, group: Group | None = None) -> Pretrainer:
    return Pretrainer(config, RECORDS, RunFolder.create(path, config), group=group)


def model(config: MaeConfig | None = None) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(config or small_mae())


def some_hidden(count: int = 2) -> torch.Tensor:
    hidden = torch.ones(count, 16, dtype=torch.bool)
    for row in range(count):
        hidden[row, [row, 5, 9, 14]] = False
    return hidden


def test_with_nothing_hidden_the_encoder_is_the_one_that_embeds_images() -> None:
    """Compared before the neck, with all blocks global and the relative tables as they are: zero."""
    mae, images = model(), torch.randn(2, 3, 64, 64)
    whole = VitEncoder(replace(ENCODER, global_blocks=(0, 1)))
    whole.load_state_dict({**mae.image_encoder.state_dict(), **_tables_of(whole)})
    whole.neck = torch.nn.Identity()
    everything = torch.arange(16).expand(2, -1)
    expected = whole(images).main.flatten(2).transpose(1, 2)
    torch.testing.assert_close(mae.encode(images, everything), expected, atol=1e-5, rtol=1e-4)


def _tables_of(encoder: VitEncoder) -> dict[str, torch.Tensor]:
    """Its relative tables: their length depends on which blocks are global."""
    return {name: value for name, value in encoder.state_dict().items() if ".rel_pos_" in name}


def test_hidden_patches_do_not_reach_the_encoder_and_visible_ones_do() -> None:
    mae, images, hidden = model(), torch.randn(2, 3, 64, 64), some_hidden()
    changed = images.clone()
    changed[:, :, :16, 48:] += 7  # patch 3, hidden in both
    with torch.no_grad():
        before, after = mae(images, hidden), mae(changed, hidden)
        changed[:, :, 16:32, 16:32] += 1  # patch 5, visible in both
        seen = mae(changed, hidden)
    assert torch.equal(before, after)
    assert not torch.equal(before, seen)


def test_the_encoder_computes_only_what_is_visible() -> None:
    mae, lengths = model(), []
    for block in mae.image_encoder.blocks:
        block.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    mae(torch.randn(2, 3, 64, 64), some_hidden())
    assert lengths == [4, 4]


def test_a_picture_is_filled_in_alike_alone_and_in_a_batch() -> None:
    mae, images, hidden = model(), torch.randn(3, 3, 64, 64), some_hidden(3)
    with torch.no_grad():
        together = mae(images, hidden)
        alone = torch.cat([mae(images[i : i + 1], hidden[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_positions_relative_tables_and_neck_are_not_learned(tmp_path: Path) -> None:
    run = pretrainer(tmp_path, small_pretraining(steps=2))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    after = run.train().state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if "pos" in name.rsplit(".", 1)[-1] or ".neck." in name}
    assert all(not value.any() for name, value in after.items() if "rel_pos" in name)


def test_a_run_stopped_and_resumed_is_bit_equal_to_one_that_was_not(tmp_path: Path) -> None:
    config = small_pretraining(steps=4)
    whole = pretrainer(tmp_path / "whole", config).train()
    seen: list[Progress] = []
    pretrainer(tmp_path / "cut", config).train(Hooks(progress=seen.append, should_stop=lambda: len(seen) == 1))
    run = pretrainer(tmp_path / "cut", config)
    resumed = run.train()
    assert (len(seen), run.step) == (1, 4)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )
    lines = [list(RunFolder(tmp_path / name).metrics()) for name in ("whole", "cut")]
    assert [(line["step"], line["loss"]) for line in lines[0]] == [(line["step"], line["loss"]) for line in lines[1]]


def test_pictures_a_few_at_a_time_give_the_gradients_of_all_at_once(tmp_path: Path) -> None:
    gradients = []
    for at_once in (0, 2):
        run = pretrainer(tmp_path / str(at_once), small_pretraining(pictures_at_once=at_once))
        losses = run.learn_from(0).losses
        run.close()
        assert len(losses) == 3
        gradients.append(run.model.decoder.project.weight.grad)
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_two_processes_see_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Group, "wait", lambda _: None)  # both are of this process, one after the other
    config = small_pretraining(pictures=5)
    whole, *halves = [
        pretrainer(tmp_path / str(number), config, group)
        for number, group in enumerate((Group(), Group(0, 2), Group(1, 2)))
    ]
    made = [run.make(3) for run in (whole, *halves)]
    for run in (whole, *halves):
        run.close()
    for rank, half in enumerate(made[1:]):
        assert half.names == made[0].names[rank::2]
        np.testing.assert_array_equal(half.pixels, made[0].pixels[rank::2])
        np.testing.assert_array_equal(half.hidden, made[0].hidden[rank::2])


def test_bfloat16_takes_a_step_with_float32_weights(tmp_path: Path) -> None:
    run = pretrainer(tmp_path, small_pretraining(steps=1, precision="bfloat16"))
    run.train()
    assert run.skipped["non_finite_steps"] == 0
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}


def test_what_is_not_finite_is_skipped_and_counted(tmp_path: Path) -> None:
    run = pretrainer(tmp_path, small_pretraining(steps=1))
    with torch.no_grad():
        run.model.decoder.predict.bias.fill_(float("nan"))
    before = run.model.image_encoder.patch_embed.proj.weight.clone()
    run.train()
    assert run.skipped["non_finite_steps"] == 1
    assert torch.equal(run.model.image_encoder.patch_embed.proj.weight, before)


def test_the_weights_of_a_run_are_its_encoder(tmp_path: Path) -> None:
    run = pretrainer(tmp_path, small_pretraining(steps=2))
    run.train()
    weights = load_encoder(tmp_path / "last.safetensors")
    learned = run.model.image_encoder.state_dict()
    assert weights.config == ENCODER
    assert all(torch.equal(value, learned[name]) for name, value in weights.state.items())


def test_a_sheet_shows_each_picture_as_it_is_as_it_was_seen_and_filled_in(tmp_path: Path) -> None:
    pretrainer(tmp_path, small_pretraining(steps=2, sheet_every=1)).train()
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [path.name for path in sheets] == ["step_000001.jpg", "step_000002.jpg"]
    assert np.asarray(Image.open(sheets[0])).shape[0] > 3 * 256


def test_one_picture_is_learned_by_heart(tmp_path: Path) -> None:
    config = small_pretraining(
        steps=150,
        pictures=4,
        view=SquareConfig(area=(1.0, 1.0), aspect=(1.0, 1.0), flip_probability=0.0),
        optimizer=OptimizerConfig(lr=4e-3, betas=(0.9, 0.95), weight_decay=0.0, warmup_steps=10, kind="cosine"),
        checkpoint_every=1000,
    )
    seen: list[Progress] = []
    run = Pretrainer(config, RECORDS[:1], RunFolder.create(tmp_path, config))
    run.train(Hooks(progress=seen.append))
    losses = [step.values["loss"] for step in seen]
    assert losses[0] > 0.8
    assert np.mean(losses[-10:]) < 0.3 * losses[0]


def test_no_pictures_at_all_is_refused(tmp_path: Path) -> None:
    config = small_pretraining()
    with pytest.raises(DatasetError, match="no training pictures"):
        Pretrainer(config, [], RunFolder.create(tmp_path, config))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hidden_ratio": 0.0}, "hidden_ratio"),
        ({"hidden_ratio": 1.0}, "hidden_ratio"),
        ({"hidden_ratio": 0.01}, "hidden_ratio"),
        ({"decoder_depth": 0}, "decoder_depth"),
        ({"decoder_heads": 3}, "decoder_heads"),
        ({"decoder_dim": 18}, "decoder_dim"),
    ],
)
def test_bad_fields_of_the_model_are_refused_by_name(change: dict[str, float], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        small_mae(**change)


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"pictures": 0}, {"checkpoint_every": 0}, {"pictures_at_once": -1}, {"sheet_every": -1}]
)
def test_bad_fields_of_the_run_are_refused_by_name(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        small_pretraining(**change)

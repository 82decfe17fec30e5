"""The promptable kind of training: how a step is shared out, what is left out of it, where it begins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError
from anymask.images.augment import ViewConfig
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, SamConfig
from anymask.model.weights import load
from anymask.runs import RunFolder
from anymask.training import promptable
from anymask.training.batches import DataConfig
from anymask.training.interactive import RoundsConfig
from anymask.training.loop import Hooks
from anymask.training.promptable import Phase, TrainConfig, Trainer
from anymask.training.schedule import OptimizerConfig
from tests.training.drawn import drawn_record, small_model, small_run

RECORDS = [drawn_record(str(i), i) for i in range(6)]
FIXED_VIEWS = DataConfig(view=ViewConfig(flip_probability=0.5), min_area_px=4)


def trainer_of(path: Path, config: TrainConfig, initial: Sam | None = None) -> Trainer:
    return Trainer(config, RECORDS, RunFolder.create(path, config), initial)


def gradients_after_one_step(path: Path, config: TrainConfig) -> dict[str, torch.Tensor]:
    trainer = trainer_of(path, config)
    trainer.learn_from(0)
    trainer.close()
    return {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}


def test_pictures_at_once_do_not_change_the_gradient_of_a_step(tmp_path: Path) -> None:
    config = small_run(pictures=4)
    together = gradients_after_one_step(tmp_path / "all", config)
    one_by_one = gradients_after_one_step(tmp_path / "one", replace(config, pictures_at_once=1))
    assert together.keys() == one_by_one.keys()
    for name, gradient in together.items():
        assert torch.allclose(gradient, one_by_one[name], rtol=1e-3, atol=1e-5 * float(gradient.abs().max() + 1)), name


def test_how_many_pictures_are_prompted_at_once_does_not_change_the_gradient_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_run(pictures=4, rounds=RoundsConfig(clicks=2, mask_only_rounds=1))
    calls: list[int] = []
    found = []
    for cells in (0, 2 * 3 * 16, 8192):  # one picture at once, two of three masks, all
        monkeypatch.setattr(promptable, "_CELLS", cells)
        trainer = trainer_of(tmp_path / str(cells), config)
        trainer.learn_from(0)
        trainer.close()
        calls.append(len(trainer._groups(trainer._batch.samples, config.rounds)))
        found.append({name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None})
    assert calls == [4, 2, 1]
    for other in found[1:]:
        for name, gradient in found[0].items():
            close = 1e-5 * float(gradient.abs().max() + 1)
            assert torch.allclose(gradient, other[name], rtol=1e-3, atol=close), name


def test_pictures_with_rounds_at_random_places_are_prompted_one_by_one(tmp_path: Path) -> None:
    config = small_run(pictures=3, rounds=RoundsConfig(clicks=2, mask_only_rounds=2))
    trainer = trainer_of(tmp_path, config)
    trainer.learn_from(0)
    trainer.close()
    assert trainer._groups(trainer._batch.samples, config.rounds) == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_together_a_run_learns_resumes_to_the_same_bits_and_draws_sheets(tmp_path: Path) -> None:
    config = small_run(steps=6, together=True, sheet_every=2, data=FIXED_VIEWS)
    whole = trainer_of(tmp_path / "whole", config)
    before = {name: value.clone() for name, value in whole.model.state_dict().items()}
    whole.train()
    first = trainer_of(tmp_path / "parts", config)
    first.train(Hooks(should_stop=lambda: first.step == 3))
    rest = Trainer(config, RECORDS, RunFolder(tmp_path / "parts"))
    assert rest.step == 3
    rest.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name
    assert any(not torch.equal(value, before[name]) for name, value in whole.model.state_dict().items())
    assert len(list((tmp_path / "whole" / "sheets").iterdir())) == 3


def test_masks_of_a_process_are_shared_by_its_pictures(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, small_run(pictures=3, masks_a_process=3))
    trainer.learn_from(0)
    trainer.close()
    assert trainer.describe()["masks"] == 3


def test_a_phase_without_a_size_has_the_models_own(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, small_run(phases=(Phase(masks=2, mask_loss="balanced"),)))
    assert trainer._wants(0) == (64, 2)
    trainer.close()


def test_a_run_from_weights_alone_goes_on_where_they_were_with_a_new_warm_up(tmp_path: Path) -> None:
    config = small_run(steps=6, optimizer=OptimizerConfig(lr=1e-3, warmup_steps=2, milestones=()))
    whole = trainer_of(tmp_path / "whole", config)
    whole.train()
    late = trainer_of(tmp_path / "late", replace(config, first_step=4))
    late.train()
    lines = {name: list(RunFolder(tmp_path / name).metrics()) for name in ("whole", "late")}
    assert [line["step"] for line in lines["late"]] == [5, 6]
    assert [line["lr"] for line in lines["late"]] == [lines["whole"][0]["lr"], lines["whole"][1]["lr"]]
    assert whole.batches.position(4, 0) == late.batches.position(4, 0)


def test_a_step_past_the_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="first_step"):
        small_run(steps=4, first_step=4)


@pytest.mark.parametrize("name", ["pictures_at_once", "masks_a_process", "lora_rank", "embedding_cache_gib"])
def test_negative_fields_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        small_run(**{name: -1})


def test_a_cache_is_refused_when_the_encoder_learns() -> None:
    with pytest.raises(ConfigError, match="learn='decoder'"):
        small_run(embedding_cache_gib=1.0)


def test_cached_embeddings_train_to_the_same_bits_and_are_used(tmp_path: Path) -> None:
    config = small_run(steps=9, data=FIXED_VIEWS, learn="decoder")
    plain = trainer_of(tmp_path / "plain", config)
    cached = trainer_of(tmp_path / "cached", replace(config, embedding_cache_gib=1.0))
    plain.train()
    cached.train()
    assert cached._cache is not None
    assert cached._cache.hits >= 18 - 2 * len(RECORDS)
    assert 0 < len(list((tmp_path / "cached" / "embeddings").iterdir())) <= 2 * len(RECORDS)
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, cached.model.state_dict()[name]), name


def test_an_encoder_that_does_not_learn_is_left_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = VitConfig(dim=32, depth=2, heads=2, global_blocks=(1,), native_size=64)
    initial = Sam(SamConfig(image_encoder=encoder, input_size=64))
    before = {name: value.clone() for name, value in initial.state_dict().items()}
    config = small_run(steps=2, learn="decoder", model=initial.config)
    trainer_of(tmp_path, config, initial).train()
    written = load(tmp_path / "last.safetensors").state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, written[name])}
    assert changed
    assert all(name.startswith(("mask_decoder.", "prompt_encoder.")) for name in changed)


def test_low_rank_changes_are_in_the_weights_that_are_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    initial = Sam(small_model())
    before = {name: value.clone() for name, value in initial.state_dict().items()}
    config = small_run(steps=3, learn="decoder", lora_rank=2)
    trainer_of(tmp_path, config, initial).train()
    written = load(tmp_path / "last.safetensors").state_dict()
    assert written.keys() == before.keys()
    changed = {name for name, value in before.items() if not torch.equal(value, written[name])}
    assert "image_encoder.stages.1.0.expand.conv.weight" in changed
    assert "image_encoder.stem.conv.weight" not in changed  # a 3x3 kernel


def test_a_run_with_low_rank_changes_resumes_to_the_same_bits(tmp_path: Path) -> None:
    config = small_run(steps=4, learn="decoder", lora_rank=2)
    torch.manual_seed(0)
    state = Sam(small_model()).state_dict()

    def initial() -> Sam:
        model = Sam(small_model())
        model.load_state_dict(state)
        return model

    trainer_of(tmp_path / "whole", config, initial()).train()
    cut = trainer_of(tmp_path / "cut", config, initial())
    for _ in range(2):
        cut._step()
        cut.step += 1
    cut.save()
    cut.close()
    trainer_of(tmp_path / "cut", config, initial()).train()
    one, other = (load(tmp_path / name / "last.safetensors").state_dict() for name in ("whole", "cut"))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_an_encoder_that_does_not_learn_drops_no_path(tmp_path: Path) -> None:
    encoder = VitConfig(dim=32, depth=3, heads=2, global_blocks=(1,), native_size=64, drop_path=0.9)
    model = SamConfig(image_encoder=encoder, input_size=64)
    trainer = trainer_of(tmp_path, small_run(learn="decoder", model=model))
    samples = trainer.batches.make(0, 64, 2).samples
    trainer.model.train()
    first, second = (trainer._embed(samples).main for _ in range(2))
    trainer.close()
    assert torch.equal(first, second)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of what torch's own compiler imports
def test_a_compiled_encoder_learns_the_same(tmp_path: Path) -> None:
    config = small_run()
    plain = gradients_after_one_step(tmp_path / "plain", config)
    compiled = gradients_after_one_step(tmp_path / "compiled", replace(config, compile=True))
    assert compiled.keys() == plain.keys()
    for name, gradient in plain.items():
        assert torch.allclose(compiled[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max() + 1)), name

"""The loop: it learns, it skips what it must, and killed anywhere it goes on to the same bits."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError, RunError
from anymask.model.sam import Sam
from anymask.model.weights import load
from anymask.prompts.simulate import ClickConfig
from anymask.runs import RunFolder
from anymask.training import loop
from anymask.training.batches import DataConfig
from anymask.training.group import Group
from anymask.training.initial import with_mask_quality
from anymask.training.interactive import RoundsConfig
from anymask.training.loop import Hooks, Progress
from anymask.training.promptable import Phase, TrainConfig, Trainer
from anymask.training.schedule import OptimizerConfig
from tests.services.processes import environment
from tests.training.drawn import drawn_record, small_model, small_run

RECORDS = [drawn_record(str(i), i) for i in range(7)]


def trained(path: Path, config: TrainConfig, hooks: Hooks | None = None) -> tuple[Sam, Trainer]:
    trainer = Trainer(config, RECORDS, RunFolder.create(path, config))
    return trainer.train(hooks), trainer


def states_equal(a: Sam, b: Sam) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_run_stopped_and_resumed_is_bit_equal_to_one_that_was_not(tmp_path: Path) -> None:
    config = small_run(steps=6)
    whole, _ = trained(tmp_path / "whole", config)
    seen: list[Progress] = []
    trained(tmp_path / "cut", config, Hooks(progress=seen.append, should_stop=lambda: len(seen) == 3))
    resumed, trainer = trained(tmp_path / "cut", config)
    assert len(seen) == 3
    assert trainer.step == 6
    assert states_equal(whole, resumed)
    lines = [list(RunFolder(tmp_path / name).metrics()) for name in ("whole", "cut")]
    assert [(line["step"], line["loss"]) for line in lines[0]] == [(line["step"], line["loss"]) for line in lines[1]]


def test_a_run_killed_before_its_first_checkpoint_logs_each_step_once(tmp_path: Path) -> None:
    config = small_run(steps=2)
    run = RunFolder.create(tmp_path, config)
    run.log(1, loss=0.5)
    Trainer(config, RECORDS, run).train()
    assert [line["step"] for line in run.metrics()] == [1, 2]


def test_a_run_that_another_process_trains_is_refused(tmp_path: Path) -> None:
    config = small_run(steps=1)
    first = Trainer(config, RECORDS, RunFolder.create(tmp_path, config))
    with pytest.raises(RunError, match="another process trains the run"):
        RunFolder(tmp_path).hold(wait_s=0)
    first.train()
    RunFolder(tmp_path).hold(wait_s=0).release()


def test_in_a_group_nobody_reads_a_checkpoint_before_the_leader_holds_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    hold, read = RunFolder.hold, loop.load_latest
    monkeypatch.setattr(RunFolder, "hold", lambda run: (order.append("hold"), hold(run))[1])
    monkeypatch.setattr(Group, "wait", lambda _: order.append("wait"))
    monkeypatch.setattr(loop, "load_latest", lambda path: (order.append("read"), read(path))[1])
    run = RunFolder.create(tmp_path, small_run(steps=1))
    for group in (Group(0, 2), Group(1, 2)):
        Trainer(small_run(steps=1), RECORDS, run, group=group).close()
    assert order == ["hold", "wait", "read", "wait", "read"]


def test_another_configuration_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, small_run(steps=1))
    with pytest.raises(RunError, match="another configuration"):
        RunFolder.create(tmp_path, small_run(steps=2))


def test_a_step_that_is_not_finite_is_skipped_and_counted(tmp_path: Path) -> None:
    config = small_run(steps=1)
    trainer = Trainer(config, RECORDS, RunFolder.create(tmp_path, config))
    with torch.no_grad():
        trainer.model.mask_decoder.iou_token.weight.fill_(float("nan"))
    before = trainer.model.prompt_encoder.no_mask_embed.weight.clone()
    trainer.train()
    assert trainer.skipped["non_finite_steps"] == 1
    assert torch.equal(trainer.model.prompt_encoder.no_mask_embed.weight, before)


def test_pictures_without_a_mask_are_counted_and_an_empty_step_changes_nothing(tmp_path: Path) -> None:
    config = small_run(steps=2, optimizer=OptimizerConfig(lr=1e-3))
    empty = [drawn_record(str(i), i, masks=0) for i in range(3)]
    trainer = Trainer(config, empty, RunFolder.create(tmp_path, config))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    assert trainer.skipped == {"non_finite_steps": 0, "pictures_without_a_mask": 4}
    assert all(torch.equal(before[name], value) for name, value in trainer.model.state_dict().items())


def test_validation_keeps_the_best_weights(tmp_path: Path) -> None:
    scores = iter([0.2, 0.9, 0.5])
    config = small_run(steps=3, validate_every=1)
    trainer = trained(tmp_path, config, Hooks(validate=lambda _: {"score": next(scores)}))[1]
    assert trainer.best == 0.9
    assert (tmp_path / "best.safetensors").is_file()
    logged = [line["val_score"] for line in RunFolder(tmp_path).metrics() if "val_score" in line]
    assert logged == [0.2, 0.9, 0.5]


def test_contact_sheets_are_written(tmp_path: Path) -> None:
    trained(tmp_path, small_run(steps=2, sheet_every=1))
    assert [path.name for path in sorted((tmp_path / "sheets").iterdir())] == ["step_000001.jpg", "step_000002.jpg"]


def test_an_averaged_checkpoint_is_what_is_returned(tmp_path: Path) -> None:
    model, trainer = trained(tmp_path, small_run(steps=3))
    assert trainer.average is not None
    # After the swap the average holds the raw weights and the model the averaged ones.
    assert not torch.equal(
        model.mask_decoder.mask_tokens.weight, trainer.average.values["mask_decoder.mask_tokens.weight"]
    )


def test_phases_follow_each_other() -> None:
    phases = (Phase(until=0.5, size=64, mask_loss="balanced"), Phase(until=1.0, size=96, clicks=0))
    config = small_run(steps=4, phases=phases)
    assert [config.phase_at(step).size for step in range(4)] == [64, 64, 96, 96]
    with pytest.raises(ConfigError, match="phases"):
        small_run(phases=(Phase(until=0.5),))


@pytest.mark.parametrize("change", [{"steps": 0}, {"pictures": 0}])
def test_bad_fields_are_refused_by_name(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        replace(small_run(), **change)


@pytest.mark.parametrize("field", [{"size": 50}, {"until": 0.0}, {"masks": 0}])
def test_bad_phases_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        Phase(**field)


def test_bfloat16_takes_a_step_with_float32_weights(tmp_path: Path) -> None:
    model, trainer = trained(tmp_path, small_run(steps=1, precision="bfloat16"))
    assert trainer.skipped["non_finite_steps"] == 0
    assert model.dtype == torch.float32


@pytest.mark.slow
def test_one_picture_is_learned_by_heart(tmp_path: Path) -> None:
    config = small_run(
        steps=480,
        pictures=1,
        phases=(Phase(size=128, masks=2, mask_loss="balanced"),),
        data=DataConfig(min_area_px=4),
        rounds=RoundsConfig(clicks=0, mask_only_rounds=0, prompts=ClickConfig(box_probability=0.5)),
        optimizer=OptimizerConfig(lr=3e-3, kind="cosine", warmup_steps=10, weight_decay=0.0, clip_norm=1.0),
        checkpoint_every=1000,
    )
    trainer = Trainer(config, [drawn_record("one", 0, masks=2, size=128)], RunFolder.create(tmp_path, config))
    seen: list[Progress] = []
    trainer.train(Hooks(progress=seen.append))
    kinds = ("point_iou", "box_iou")
    ious = [np.mean([step.values[kind] for kind in kinds if kind in step.values]) for step in seen[-10:]]
    assert np.mean(ious) > 0.95


def test_only_the_predicted_iou_learns_when_asked_so(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = with_mask_quality(Sam(small_model()))
    config = small_run(steps=3, learn="iou", model=before.config)
    state = {name: value.clone() for name, value in before.state_dict().items()}
    trainer = Trainer(config, RECORDS, RunFolder.create(tmp_path, config), before)
    after = trainer.train().state_dict()
    changed = {name for name in state if not torch.equal(state[name], after[name])}
    assert changed
    assert all(name.startswith(("mask_decoder.iou_prediction_head.", "mask_decoder.quality.")) for name in changed)
    assert any(".quality." in name for name in changed)


KILLED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from anymask.runs import RunFolder
from anymask.training.loop import Hooks
from anymask.training.promptable import Trainer
from tests.training.drawn import drawn_record, small_run
config = small_run(steps=int(sys.argv[2]))
trainer = Trainer(config, [drawn_record(str(i), i) for i in range(7)], RunFolder.create(Path(sys.argv[1]), config))
trainer.train(Hooks(progress=lambda p: print(p.step, flush=True)))
print("done", flush=True)
"""


def start(path: Path, steps: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", KILLED, str(path), str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


@pytest.mark.slow
def test_a_run_killed_at_five_points_ends_bit_equal_to_one_that_was_not(tmp_path: Path) -> None:
    """FAULTS 14 at CI size: SIGKILL in a step or in a save, five times, on real processes."""
    steps, rng = 24, np.random.default_rng(0)
    whole = start(tmp_path / "whole", steps)
    assert whole.wait(120) == 0
    assert whole.stdout is not None
    whole.stdout.close()
    for kill in range(5):
        process = start(tmp_path / "killed", steps)
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "done" or int(line) >= (kill + 1) * 4:
                break
        time.sleep(float(rng.uniform(0, 0.15)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    last = start(tmp_path / "killed", steps)
    assert last.wait(120) == 0
    assert last.stdout is not None
    last.stdout.close()
    whole_weights, killed_weights = (load(tmp_path / name / "last.safetensors") for name in ("whole", "killed"))
    assert states_equal(whole_weights, killed_weights)
    sequence = [line["step"] for line in RunFolder(tmp_path / "killed").metrics()]
    assert sequence == list(range(1, steps + 1))


def test_the_small_model_is_the_one_the_run_names() -> None:
    assert small_run().model == small_model()


def test_a_run_begun_before_a_field_was_added_is_the_same_run(tmp_path: Path) -> None:
    config = small_run()
    run = RunFolder.create(tmp_path / "run", config)
    plain = json.loads((run.path / "config.json").read_text())
    del plain["data"]["group_probability"]
    (run.path / "config.json").write_text(json.dumps(plain))
    assert RunFolder.create(tmp_path / "run", config).path == run.path
    with pytest.raises(RunError, match="another configuration"):
        RunFolder.create(tmp_path / "run", replace(config, data=replace(config.data, group_probability=0.5)))

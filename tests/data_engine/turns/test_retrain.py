import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from anymask.data_engine.turns import retrain
from anymask.data_engine.turns.config import EngineConfig, StageConfig
from anymask.data_engine.turns.folder import StoppedError
from anymask.data_engine.turns.freeze import choose_masks, freeze
from anymask.data_engine.turns.retrain import TrainTask, train, train_command
from anymask.errors import ConfigError, RunError
from anymask.model.weights import load, model_hash
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import World

CONFIG = EngineConfig(database="d", store="s", project="p")


@pytest.fixture
def task(world: World, small_model: Path, tmp_path: Path) -> TrainTask:
    for seed in range(3):
        add_labelled(world, seed)
    choices = world.database.read(lambda session: choose_masks(session, world.project.id))
    freeze(world.database, world.blobs, choices, tmp_path / "dataset", held_share=0.01, seed=0)
    stage = StageConfig(recipe="finetune_decoder", steps=2)
    return TrainTask(
        folder=tmp_path,
        lock=tmp_path / "training.lock",
        start=small_model,
        data=(str(tmp_path / "dataset" / "train.tar"),),
        stage=stage,
        seed=1,
    )


def go(_done: int, _total: int) -> None:
    pass


@pytest.mark.slow
def test_training_makes_another_model_and_tells_how_far_it_is(task: TrainTask) -> None:
    seen: list[tuple[int, int]] = []
    weights = train(task, CONFIG, lambda done, total: seen.append((done, total)), lambda: False)
    assert model_hash(load(weights)) != model_hash(load(task.start))
    assert {total for _, total in seen} <= {2}
    # Done again, it is the same.
    before = model_hash(load(weights))
    assert model_hash(load(train(task, CONFIG, go, lambda: False))) == before


@pytest.mark.slow
def test_told_to_stop_it_stops(task: TrainTask) -> None:
    with pytest.raises(StoppedError):
        train(replace(task, stage=replace(task.stage, steps=5000)), CONFIG, go, lambda: True)
    assert not (task.folder / "training" / "model.safetensors").exists()


@pytest.mark.slow
def test_a_training_that_fails_says_why(task: TrainTask) -> None:
    with pytest.raises(RunError, match=r"training ended with code 2: error: .*no_such_recipe.*training.log"):
        train(replace(task, stage=replace(task.stage, recipe="no_such_recipe")), CONFIG, go, lambda: False)


@pytest.mark.slow
def test_training_ends_with_the_process_that_began_it(task: TrainTask) -> None:
    with long_training(task) as (parent, children):
        parent.kill()
        parent.wait()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []


@pytest.mark.slow
def test_a_turn_that_was_set_aside_leaves_no_training_beside_the_next(
    task: TrainTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrain, "_WAIT_FOR_OLD_S", 0.5)
    (tmp_path / "0001").mkdir()
    (tmp_path / "0002").mkdir()
    with long_training(replace(task, folder=tmp_path / "0001")) as (parent, children):
        # Stopped, not ended: it does not hear that its parent ends.
        children[0].suspend()
        parent.kill()
        parent.wait()
        (tmp_path / "0001").rename(tmp_path / "0001.aside1")
        with pytest.raises(RunError, match=r"a training of before still runs .*training\.lock"):
            train(replace(task, folder=tmp_path / "0002"), CONFIG, go, lambda: False)
        children[0].resume()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
    monkeypatch.setattr(retrain, "_WAIT_FOR_OLD_S", 60)
    assert train(replace(task, folder=tmp_path / "0002"), CONFIG, go, lambda: False).is_file()


@contextmanager
def long_training(task: TrainTask) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A process that trains for long, and the training that it began."""
    code = (
        "import sys; from pathlib import Path; from tests.data_engine.turns.test_retrain import *\n"
        "task = TrainTask(folder=Path(sys.argv[1]), start=Path(sys.argv[2]), data=(sys.argv[3],), seed=1,\n"
        "    lock=Path(sys.argv[4]), stage=StageConfig(recipe='finetune_decoder', steps=5000))\n"
        "train(task, CONFIG, go, lambda: False)"
    )
    words = [sys.executable, "-c", code, str(task.folder), str(task.start), task.data[0], str(task.lock)]
    with subprocess.Popen(words, cwd=Path(__file__).parents[3]) as parent:
        until, metrics = time.monotonic() + 60, task.folder / "training" / "metrics.jsonl"
        while not metrics.exists() and time.monotonic() < until:
            time.sleep(0.1)
        own = psutil.Process(parent.pid)
        children = own.children(recursive=True)
        try:
            assert metrics.exists()
            assert children
            yield parent, children
        finally:
            for process in (own, *children):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def test_the_command_says_all_that_is_configured(task: TrainTask) -> None:
    stage = StageConfig(recipe="finetune_all", steps=7, lr=0.001)
    words = train_command(replace(task, stage=stage), replace(CONFIG, device="cuda:1"))
    assert words[:4] == [sys.executable, "-m", "anymask", "train"]
    shown = " ".join(words)
    for part in ("--recipe finetune_all", "--steps 7", "--lr 0.001", "--device cuda:1", "--seed 1"):
        assert part in shown
    assert "torch.distributed.run" in " ".join(train_command(task, replace(CONFIG, processes=2)))
    assert train_command(task, replace(CONFIG, launcher=("elsewhere",)))[:2] == ["elsewhere", "train"]


def test_other_data_are_mixed_in_by_the_share_that_is_configured(task: TrainTask, tmp_path: Path) -> None:
    other: dict[str, Any] = {"mix": (str(_other(task, tmp_path)),), "mix_share": 0.25}
    words = train_command(task, replace(CONFIG, **other))
    assert words[words.index("--weight") + 1] == "shapes=3"
    assert words.count("--data") == 2
    with pytest.raises(ConfigError, match="sets called shapes"):
        train_command(task, replace(CONFIG, mix=task.data))


def _other(task: TrainTask, tmp_path: Path) -> Path:
    """The same pictures as a set of another name."""
    import tarfile

    path = tmp_path / "other.tar"
    with tarfile.open(task.data[0]) as source, tarfile.open(path, "w") as target:
        for member in source:
            data = source.extractfile(member)
            member.name = member.name.replace("shapes/", "other/")
            target.addfile(member, data)
    return path

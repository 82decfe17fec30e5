"""Which sets a model has learned from: from the registry, or from the run folder around its file."""

from __future__ import annotations

from pathlib import Path

from anymask.evaluation.seen import has_seen, trained_sets
from anymask.runs import RunFolder


def test_the_embedded_model_has_seen_the_training_pictures() -> None:
    sets = trained_sets("tiny")
    assert sets is not None
    assert has_seen(sets, "bsds500")
    assert has_seen(sets, "bsds500_train")
    assert not has_seen(sets, "bsds500_test")
    assert not has_seen(sets, "coco_mini")


def test_of_released_weights_and_lone_files_nothing_is_known(tmp_path: Path) -> None:
    assert trained_sets("vit_h") is None
    assert trained_sets(str(tmp_path / "model.safetensors")) is None


def test_a_runs_starts_tell_for_its_weights_and_its_checkpoints(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log_start(0, {"sets": {"ccp": 845}})
    run.log_start(10, {"sets": {"ccp": 845, "animals7": 806}})
    for place in ("model.safetensors", "checkpoints/10.safetensors"):
        assert trained_sets(str(tmp_path / place)) == {"ccp", "animals7"}

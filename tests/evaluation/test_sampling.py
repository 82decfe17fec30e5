"""Pictures of large datasets."""

from __future__ import annotations

from pathlib import Path

from anymask.dataset import read_folder
from anymask.evaluation.sampling import count_targets, sample_about
from anymask.evaluation.targets import TargetConfig, choose_targets
from tests.evaluation.small_data import write_small_sets


def test_large_sets_are_sampled_to_about_so_many_masks_and_small_ones_are_taken_whole() -> None:
    masks = {f"large/{index}": 1 + index % 9 for index in range(5000)} | {f"small/{index}": 40 for index in range(100)}
    chosen = sample_about(masks)
    large = [name for name in chosen if name.startswith("large/")]
    assert 10_000 <= sum(masks[name] for name in large) < 10_000 + 9
    assert len(chosen) - len(large) == 100


def test_the_draw_comes_again_with_the_seed_and_is_another_with_another() -> None:
    masks = {f"a/{index}": 10 for index in range(2000)}
    assert sample_about(masks, seed=1) == sample_about(masks, seed=1) != sample_about(masks, seed=2)


def test_targets_are_counted_as_they_will_be_asked_for(data_dir: Path, tmp_path: Path) -> None:
    folder = write_small_sets(tmp_path, [data_dir / "val-food_plates.tar"], 3)
    records = {record.name: record for record in read_folder(folder)}
    wanted = set(list(records)[:2])
    for config in (TargetConfig(), TargetConfig.paper()):
        counted = count_targets([folder], wanted, config)
        assert counted == {name: len(choose_targets(records[name], config)) for name in records if name in wanted}

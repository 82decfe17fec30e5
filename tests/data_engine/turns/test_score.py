from pathlib import Path

import pytest

from anymask.data_engine.turns.config import ScoreConfig
from anymask.data_engine.turns.freeze import choose_masks, freeze
from anymask.data_engine.turns.score import BENCHMARK, score, summarise
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from tests.data_engine.scored import results
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import World


def test_a_model_is_scored_once_on_each_picture(world: World, model: Sam, tmp_path: Path) -> None:
    for seed in range(3):
        add_labelled(world, seed)
    choices = world.database.read(lambda session: choose_masks(session, world.project.id))
    freeze(world.database, world.blobs, choices, tmp_path / "d", held_share=0.01, seed=0)
    seen: list[tuple[int, int]] = []
    config, data = ScoreConfig(clicks=3), [str(tmp_path / "d" / "train.tar")]
    first = score(model, data, config, tmp_path / "scores", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    (kept,) = (tmp_path / "scores").rglob("*.jsonl")
    written = kept.read_bytes()
    assert score(model, data, config, tmp_path / "scores") == first
    assert kept.read_bytes() == written
    found = summarise(first, model_hash(model), BENCHMARK, config)
    assert (found.pictures, found.masks) == (3, 6)
    assert set(found.means) >= {"click", "box", "clicks_3", "click/shapes"}
    assert "clicks_5" not in found.means


def test_changed_settings_score_anew_and_back_to_the_old_ones_nothing_is_lost(
    world: World, model: Sam, tmp_path: Path
) -> None:
    add_labelled(world, 0)
    choices = world.database.read(lambda session: choose_masks(session, world.project.id))
    freeze(world.database, world.blobs, choices, tmp_path / "d", held_share=0.01, seed=0)
    data, out = [str(tmp_path / "d" / "train.tar")], tmp_path / "scores"
    few = score(model, data, ScoreConfig(clicks=2), out)
    more = score(model, data, ScoreConfig(clicks=4), out)
    assert [len(target.clicks.curve) for target in few[0].targets if target.clicks] == [2, 2]
    assert [len(target.clicks.curve) for target in more[0].targets if target.clicks] == [4, 4]
    kept = sorted(out.rglob("*.jsonl"))
    written = [path.read_bytes() for path in kept]
    assert len(kept) == 2
    # How many pictures are taken, and up to which IoU clicks are counted, changes no score.
    assert score(model, data, ScoreConfig(clicks=2, max_pictures=None, until_iou=0.5), out) == few
    assert [path.read_bytes() for path in sorted(out.rglob("*.jsonl"))] == written


def test_means_are_over_sets_and_clicks_are_counted() -> None:
    found = summarise(results([0.5, 0.7, 0.7]), "m" * 64, BENCHMARK, ScoreConfig(clicks=5, until_iou=0.79))
    assert found.means["click/a"] == pytest.approx(0.6)
    assert found.means["click"] == pytest.approx(0.65)
    assert found.clicks_a_mask == pytest.approx(((4 + 2) / 2 + 2) / 2)

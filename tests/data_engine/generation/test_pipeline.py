from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anymask.data_engine.generation.manifest import Item, open_manifest, write_manifest
from anymask.data_engine.generation.pieces import load_predictor
from anymask.data_engine.generation.pipeline import STAGES, Pipeline
from anymask.data_engine.generation.places import Sources
from tests.data_engine.generation.small_runs import small_config, write_pictures


@pytest.fixture
def made(small_model: Path, tmp_path: Path) -> tuple[Pipeline, list[Item]]:
    """A pipeline, and nine pictures of which the fifth is cut."""
    source = write_pictures(tmp_path / "photos", 9)
    (source / "00004.jpg").write_bytes((source / "00004.jpg").read_bytes()[:-10])
    config = small_config(small_model, pictures_per_piece=9, pictures_per_shard=9)
    write_manifest(tmp_path / "m", config, [str(source)])
    manifest = open_manifest(tmp_path / "m")
    pipeline = Pipeline(load_predictor(config, "cpu"), config, Sources(manifest.sources))
    return pipeline, manifest.items(manifest.pieces[0])


def test_stages_that_overlap_give_what_one_after_the_other_gives(made: tuple[Pipeline, list[Item]]) -> None:
    pipeline, items = made
    begun: list[int] = []
    alone = list(pipeline.run(items, overlap=False, begin=lambda item: begun.append(item.number)))
    together = list(pipeline.run(items))
    assert begun == [item.number for item in items]
    assert [done.item for done in together] == items  # every picture once, in order
    assert [(done.members, done.rejects, done.problem) for done in together] == [
        (done.members, done.rejects, done.problem) for done in alone
    ]
    assert [bool(done.problem) for done in alone] == [False] * 4 + [True] + [False] * 4
    assert alone[4].members == ()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_any_number_of_pictures_comes_out(made: tuple[Pipeline, list[Item]], count: int) -> None:
    pipeline, items = made
    assert [done.item for done in pipeline.run(items[:count])] == items[:count]


def test_a_consumer_that_stops_listening_ends_the_threads(made: tuple[Pipeline, list[Item]]) -> None:
    import threading

    pipeline, items = made
    before = threading.active_count()
    run = pipeline.run(items)
    next(run)
    run.close()
    assert threading.active_count() == before


def test_problems_known_before_and_changed_files_are_told(made: tuple[Pipeline, list[Item]]) -> None:
    pipeline, items = made
    changed = [replace(items[0], problem="a double"), replace(items[1], sha256="0" * 64)]
    problems = [done.problem for done in pipeline.run(changed)]
    assert problems[0] == "a double"
    assert "changed after the run began" in problems[1]


def test_every_stage_is_timed(made: tuple[Pipeline, list[Item]]) -> None:
    pipeline, items = made
    list(pipeline.run(items))
    assert set(pipeline.clock.seconds) == set(STAGES)
    assert all(spent > 0 for spent in pipeline.clock.seconds.values())

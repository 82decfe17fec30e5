import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.data_engine.annotator_client import Credentials
from anymask.data_engine.annotator_habits import HabitsConfig
from anymask.data_engine.simulated_annotator import PictureNote
from anymask.data_engine.simulated_team import LabelTruth, SimulationConfig, annotate
from anymask.dataset.formats.png import encode_labels
from anymask.errors import ConfigError
from tests.data_engine.live import PASSWORD, served, sign_in
from tests.data_engine.world import SIZE_HW, draw_picture
from tests.server.browser import Site


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Four pictures `pictures/0` and so on with two regions each, in two maps."""
    path = tmp_path / "truth.tar"
    with tarfile.open(path, "w") as tar:
        for seed in range(4):
            picture = io.BytesIO()
            Image.open(io.BytesIO(draw_picture(seed))).save(picture, "WEBP", lossless=True)
            members = {f"pictures/{seed}.webp": picture.getvalue()}
            for layer in range(2):
                labels = np.zeros(SIZE_HW, np.uint16)
                labels[5:20, 5 + 20 * layer : 20 + 20 * layer] = 1
                members[f"pictures/{seed}__{layer}.png"] = encode_labels(labels)
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def test_masks_are_known_by_the_pictures_name_whatever_its_ending(shard: Path) -> None:
    truth = LabelTruth([shard])
    masks = truth("pictures/2.png")
    assert masks is not None
    assert [int(mask.sum()) for mask in masks] == [225, 225]
    assert truth("pictures/9.png") is None


def test_several_people_do_as_many_pictures_as_are_asked_for_each_once(site: Site, shard: Path) -> None:
    project = site.add_project()
    for seed in range(4):
        site.add_picture(project, f"pictures/{seed}.png", seed)
    site.add_picture(project, "unknown.png", 9)
    site.work()
    habits = HabitsConfig(miss_probability=0.0, most_clicks=1)
    notes: list[PictureNote] = []
    with served(site) as url:
        for name in ("Ann", "Bob"):
            sign_in(site, url, name).close()
        people = [Credentials(name, PASSWORD) for name in ("Ann", "Bob")]
        for wanted, found in ((3, 3), (5, 1)):
            count = annotate(
                url,
                people,
                project,
                LabelTruth([shard]),
                habits,
                pictures=wanted,
                done=notes.append,
                should_stop=lambda: False,
            )
            assert count == found
    assert sorted(note.file_name for note in notes) == [f"pictures/{seed}.png" for seed in range(4)]
    assert all(len(note.masks) == 2 for note in notes)


def test_told_to_stop_nobody_begins(site: Site, shard: Path) -> None:
    project = site.add_project()
    site.add_picture(project, "pictures/0.png")
    with served(site) as url:
        sign_in(site, url, "Ann").close()
        people, truth = [Credentials("Ann", PASSWORD)], LabelTruth([shard])
        count = annotate(
            url,
            people,
            project,
            truth,
            HabitsConfig(),
            pictures=1,
            done=lambda _: None,
            should_stop=lambda: True,
        )
    assert count == 0


def test_values_that_make_no_sense_are_named() -> None:
    with pytest.raises(ConfigError, match="truth is empty"):
        SimulationConfig(truth=())
    with pytest.raises(ConfigError, match="annotators"):
        SimulationConfig(truth=("a",), annotators=0)

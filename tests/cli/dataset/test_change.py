from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import write_dataset
from tests.dataset.drawn_pictures import drawn_picture
from tests.dataset.sa1b_files import write_tar

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "drawn", (drawn_picture(n) for n in range(1, 9)))
    return tmp_path / "drawn"


def names(folder: Path) -> list[str]:
    return [picture.name for picture in read_labelled(folder)]


@pytest.mark.parametrize(("form", "back"), [("coco", "coco.json"), ("lvis", "lvis.json"), ("labels", ""), ("sa1b", "")])
def test_a_dataset_goes_to_each_form_and_is_read_again(
    dataset: Path, tmp_path: Path, capsys: Capture, form: str, back: str
) -> None:
    assert main(["dataset", "convert", str(dataset), str(tmp_path / "out"), "--to", form, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["masks"] == 32
    again = list(read_labelled(tmp_path / "out" / back))
    assert [sorted(p.masks.area_px.tolist()) for p in again] == [
        sorted(p.masks.area_px.tolist()) for p in read_labelled(dataset)
    ]


def test_a_licence_is_given_to_pictures_that_state_none(tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", {"s/1.webp": _webp(), "s/1.png": _labels()})
    arguments = ["dataset", "convert", str(tmp_path / "x.tar"), str(tmp_path / "out"), "--licence", "CC BY 4.0"]
    assert main(arguments) == 0
    assert next(read_labelled(tmp_path / "out")).notes.licence == "CC BY 4.0"
    assert next(read_labelled(tmp_path / "out")).notes.source == "s/1"


def _webp() -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "WEBP")
    return buffer.getvalue()


def _labels() -> bytes:
    import numpy as np

    from anymask.dataset.formats.png import encode_labels

    return encode_labels(np.eye(20, 30, dtype=np.uint16))


def test_parts_hold_every_picture_once(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = ["--part", "train=0.5", "--part", "val=0.5", "--json"]
    assert main(["dataset", "split", str(dataset), str(tmp_path / "parts"), *arguments]) == 0
    counts = json.loads(capsys.readouterr().out)["parts"]
    assert sum(counts.values()) == 8
    both = names(tmp_path / "parts" / "train") + names(tmp_path / "parts" / "val")
    assert sorted(both) == sorted(names(dataset))


@pytest.mark.parametrize("part", ["train", "train=x", "../train=0.5", "train=0.7"])
def test_parts_that_make_no_sense_are_refused(dataset: Path, tmp_path: Path, capsys: Capture, part: str) -> None:
    arguments = ["--part", part, "--part", "val=0.5"]
    assert main(["dataset", "split", str(dataset), str(tmp_path / "parts"), *arguments]) == 2
    assert "error:" in capsys.readouterr().err
    assert not (tmp_path / "parts").exists()


def test_datasets_are_joined_with_their_notes(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    write_dataset(tmp_path / "more", [drawn_picture(9)])
    assert main(["dataset", "merge", str(dataset), str(tmp_path / "more"), str(tmp_path / "all")]) == 0
    assert names(tmp_path / "all") == [f"sa1b/sa_{n}" for n in range(1, 10)]
    assert list(read_labelled(tmp_path / "all"))[8].notes == drawn_picture(9).notes
    assert main(["dataset", "merge", str(dataset), str(dataset), str(tmp_path / "twice")]) == 4
    assert "--renumber" in capsys.readouterr().err
    assert main(["dataset", "merge", str(dataset), str(dataset), str(tmp_path / "anew"), "--renumber"]) == 0
    assert len(names(tmp_path / "anew")) == 16
    assert main(["dataset", "merge", str(dataset)]) == 2


def test_a_sample_is_drawn_by_seed(dataset: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["dataset", "sample", str(dataset), str(tmp_path / name), "--pictures", "3", "--seed", seed]) == 0
    assert names(tmp_path / "a") == names(tmp_path / "b") != names(tmp_path / "c")
    assert len(names(tmp_path / "a")) == 3


def test_damaged_pictures_are_left_out_named_and_the_exit_code_says_so(
    dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    with tarfile.open(dataset / "sa_000000.tar") as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    files["sa_3.jpg"] = files["sa_3.jpg"][:-30]
    files["sa_5.json"] = files["sa_5.json"][:-30]
    write_tar(tmp_path / "damaged.tar", files)
    assert main(["dataset", "convert", str(tmp_path / "damaged.tar"), str(tmp_path / "out"), "--json"]) == 1
    answer = capsys.readouterr()
    assert set(json.loads(answer.out)["left_out"]) == {"sa1b/sa_3", "sa1b/sa_5"}
    assert len(names(tmp_path / "out")) == 6


def test_plain_shards_have_sa1bs_keys_alone_and_the_card_says_the_rest(dataset: Path, tmp_path: Path) -> None:
    assert main(["dataset", "convert", str(dataset), str(tmp_path / "plain"), "--plain"]) == 0
    with tarfile.open(tmp_path / "plain" / "sa_000000.tar") as shard:
        records = [json.loads(shard.extractfile(one).read()) for one in shard if one.name.endswith(".json")]
    assert all(record.keys() == {"image", "annotations"} for record in records)
    assert not any("provenance" in one for record in records for one in record["annotations"])
    card = json.loads((tmp_path / "plain" / "dataset.json").read_text())
    assert card["licences"] == [["CC0", 8]]
    assert main(["dataset", "convert", str(dataset), str(tmp_path / "coco"), "--to", "coco", "--plain"]) == 2

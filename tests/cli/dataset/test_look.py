from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from anymask.cli.main import main
from anymask.dataset.write import WriteConfig, write_dataset
from tests.dataset.drawn_pictures import drawn_picture

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "drawn", (drawn_picture(n) for n in (1, 2, 3)), WriteConfig(name="drawn by rule"))
    return tmp_path / "drawn"


def test_info_counts_and_says_terms_and_origin(dataset: Path, capsys: Capture) -> None:
    assert main(["dataset", "info", str(dataset)]) == 0
    said = capsys.readouterr().out
    for words in (
        "drawn by rule",
        "3 pictures, 12 masks (4.0 a picture)",
        "CC0 (3",
        "automatic by tiny",
        "not looked for",
    ):
        assert words in said
    assert main(["dataset", "info", str(dataset), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["pictures"], facts["masks"], facts["schema"]) == (3, 12, 1)
    assert (facts["shortest_side_px"], facts["longest_side_px"]) == (20, 30)


@pytest.mark.parametrize(("more", "schema"), [((), 1), (("--plain",), 0)])
def test_a_shard_alone_has_its_own_schema(
    dataset: Path, tmp_path: Path, capsys: Capture, more: tuple[str, ...], schema: int
) -> None:
    assert main(["dataset", "convert", str(dataset), str(tmp_path / "out"), *more, "--json"]) == 0
    capsys.readouterr()
    assert main(["dataset", "info", str(tmp_path / "out" / "sa_000000.tar"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["schema"]) == (None, schema)


def test_check_names_damage_and_ends_with_1(dataset: Path, capsys: Capture) -> None:
    assert main(["dataset", "check", str(dataset)]) == 0
    assert "3 pictures and 12 masks are whole; 0 things are damaged" in capsys.readouterr().out
    shard = dataset / "sa_000000.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 0xFF
    shard.write_bytes(data)
    assert main(["dataset", "check", str(dataset), "--json"]) == 1
    answer = capsys.readouterr()
    assert "sa_000000.tar" in json.loads(answer.out)["damaged"]
    assert "another size or hash" in answer.err


def test_show_draws_the_picture_that_was_asked_for(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    for arguments, name in (([], "sa_1"), (["sa_2"], "sa_2"), (["--index", "2"], "sa_3")):
        out = tmp_path / f"{name}.png"
        assert main(["dataset", "show", str(dataset), *arguments, "--out", str(out), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["name"] == f"sa1b/{name}"
        assert facts["notes"]["licence"] == "CC0"
        with Image.open(out) as drawn:
            assert drawn.size == (30, 20)
    assert main(["dataset", "show", str(dataset), "sa_9"]) == 4
    assert "no picture sa_9" in capsys.readouterr().err


def test_what_is_not_there_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    assert main(["dataset", "info", str(tmp_path / "gone.tar")]) == 4
    assert "there is no file or folder" in capsys.readouterr().err

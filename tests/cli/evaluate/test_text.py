"""`anymask evaluate text`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from tests.evaluation.protocols.colours import write_colours

ADAPTER = """
from tests.evaluation.protocols.colours import ColourSegmenter


class Colours:
    takes_boxes = False

    def __init__(self):
        self.inner = ColourSegmenter()

    def set_image(self, pixels):
        self.inner.set_image(pixels)

    def predict(self, prompt):
        return self.inner.predict(prompt, multimask=True).masks[0]


def make_segmenter():
    return Colours()
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    annotations, folder = write_colours(tmp_path / "data")
    return ["evaluate", "text", "--annotations", str(annotations), "--pictures", str(folder)]


def test_a_segmenter_that_takes_text_gets_a_table_and_a_sheet(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "colours.py").write_text(ADAPTER)
    (tmp_path / "words.json").write_text(json.dumps({"red thing": ["something red"]}))
    more = ["--adapter", str(tmp_path / "colours.py"), "--vocabulary", str(tmp_path / "words.json")]
    assert main([*command, *more, "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "text + point" in out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "something red" in page
    assert json.loads((tmp_path / "out" / "report.json").read_text())["protocol"] == "text"


def test_the_models_of_this_package_say_that_they_take_no_text(
    command: list[str], small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--model", str(small_model), "--json"]) == 2
    assert "needs a text-conditioned model" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '{"a": []}', '{"a": [" "]}'])
def test_a_vocabulary_of_another_form_is_refused(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "words.json").write_text(content)
    assert main([*command, "--vocabulary", str(tmp_path / "words.json"), "--json"]) == 2
    assert "--vocabulary" in capsys.readouterr().err

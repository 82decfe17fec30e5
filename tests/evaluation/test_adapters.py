"""A user's file as a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.errors import ConfigError
from anymask.evaluation.adapters import adapt
from anymask.prompts.types import Prompt

PIXELS = np.zeros((6, 8, 3), np.uint8)
PROMPT = Prompt(points_xy=np.array([[3.5, 2.5]]))


def written(tmp_path: Path, answer: str, more: str = "") -> Path:
    path = tmp_path / "mine.py"
    path.write_text(
        f"import numpy as np\n\n\nclass Mine:\n{more}"
        "    def set_image(self, pixels):\n        self.shape = pixels.shape[:2]\n"
        f"    def predict(self, prompt):\n        return {answer}\n\n\n"
        "def make_segmenter():\n    return Mine()\n"
    )
    return path


@pytest.mark.parametrize(
    ("answer", "count", "share"),
    [
        ("np.ones(self.shape, bool)", 1, 1.0),
        ("np.full(self.shape, 0.4)", 1, 0.0),
        ("(np.ones((3, *self.shape)), np.array([0.1, 0.9, 0.2]))", 3, 1.0),
    ],
)
def test_masks_and_probabilities_of_one_or_many_are_taken(
    tmp_path: Path, answer: str, count: int, share: float
) -> None:
    column = adapt(written(tmp_path, answer))
    column.set_image(PIXELS)
    found = column.predict(PROMPT, multimask=True)
    assert found.masks.shape == (count, 6, 8)
    assert found.masks.dtype == np.bool_
    assert found.masks.mean() == share
    assert found.best == (1 if count == 3 else 0)


def test_what_it_takes_and_its_settings_are_its_own(tmp_path: Path) -> None:
    plain = adapt(written(tmp_path, "np.ones(self.shape, bool)"))
    assert (plain.name, plain.takes_points, plain.takes_boxes) == ("mine", True, True)
    told = adapt(written(tmp_path, "1", "    takes_boxes = False\n    settings = 'checkpoint 7'\n"), "ritm")
    assert (told.name, told.takes_boxes) == ("ritm", False)
    assert told.fingerprint != plain.fingerprint
    assert told.fingerprint.endswith("checkpoint 7")


@pytest.mark.parametrize("answer", ["np.ones((3, 3), bool)", "(np.ones((2, *self.shape)), np.ones(3))", "3"])
def test_another_answer_is_refused(tmp_path: Path, answer: str) -> None:
    column = adapt(written(tmp_path, answer))
    column.set_image(PIXELS)
    with pytest.raises(ConfigError, match="expected \\(M, H, W\\)"):
        column.predict(PROMPT, multimask=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "defines no make_segmenter"),
        ("raise ValueError('no weights')", "ValueError: no weights"),
        ("def make_segmenter():\n    return 3\n", "without set_image"),
    ],
)
def test_a_file_that_is_no_adapter_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        adapt(tmp_path / "mine.py")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Python file"):
        adapt(tmp_path / "none.py")

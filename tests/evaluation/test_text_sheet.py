"""The sheet of phrases."""

from __future__ import annotations

from pathlib import Path

import pytest

from anymask.errors import DatasetError
from anymask.evaluation.pictures import AnnotationFile
from anymask.evaluation.protocols.text import TextConfig, run
from anymask.evaluation.text_sheet import text_sheet
from anymask.figures import Gallery, Heading
from tests.evaluation.protocols.colours import SIZE_HW, ColourSegmenter, write_colours


@pytest.mark.parametrize("takes_points", [True, False])
def test_phrases_stand_under_their_masks_the_best_first(tmp_path: Path, takes_points: bool) -> None:
    pictures = AnnotationFile(*write_colours(tmp_path / "data"))
    results = run(TextConfig(), pictures, [ColourSegmenter(takes_points=takes_points)]).columns["colours"]
    blocks = text_sheet("colours", results, pictures)
    titles = [block.text.split(":")[0] for block in blocks if isinstance(block, Heading)]
    assert titles == ["Best", "Median", "Worst"]
    shown = [one for block in blocks if isinstance(block, Gallery) for one in block.pictures]
    assert shown[-1].caption.startswith("'a red thing' IoU 0.651")
    assert ("with a click" in shown[-1].caption) == takes_points
    assert shown[0].pixels.shape == (SIZE_HW[0], 2 * SIZE_HW[1] + 6 if takes_points else SIZE_HW[1], 3)


def test_data_that_is_gone_is_said(tmp_path: Path) -> None:
    annotations, folder = write_colours(tmp_path / "data")
    results = run(TextConfig(), AnnotationFile(annotations, folder), [ColourSegmenter()]).columns["colours"]
    annotations.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(DatasetError, match="as it was evaluated"):
        text_sheet("colours", results, AnnotationFile(annotations, folder))

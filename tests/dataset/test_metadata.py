from __future__ import annotations

from pathlib import Path

import pytest

from anymask.dataset.metadata import NONE, group_of, read_column
from anymask.errors import DatasetError


def test_a_column_is_read_by_picture(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('picture,country\nsa_1,"Korea, South"\nsa_2,\n')
    values = read_column(tmp_path / "m.csv", "country")
    assert values == {"sa_1": "Korea, South", "sa_2": NONE}
    assert group_of(("sa1b/sa_1", "sa_1"), values) == "Korea, South"
    assert group_of(("sa1b/sa_9", "sa_9", ""), values) == NONE


@pytest.mark.parametrize(
    ("text", "words"),
    [("name,country\n", "no column picture"), ("picture,country\na,x\na,y\n", "twice"), (None, "cannot be read")],
)
def test_other_files_are_refused(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_column(tmp_path / "m.csv", "country")

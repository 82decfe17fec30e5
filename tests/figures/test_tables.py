"""Tables as text."""

import pytest

from anymask.errors import InputError
from anymask.figures.tables import Table, as_markdown, as_text

TABLE = Table(("set", "pictures", "IoU"), [["shapes", 1200, 0.5], ["a | b\nc <i>", 3, "-"]])


def test_columns_of_text_are_aligned_and_numbers_shown_as_on_pages() -> None:
    first, second, *_ = as_text(Table(("set", "pictures", "IoU"), [["shapes", 1200, 0.5]])).splitlines()
    assert second.split() == ["shapes", "1,200", "0.5000"]
    assert first.index("IoU") == second.index("0.5000")


def test_no_cell_can_break_a_markdown_table_or_make_a_tag() -> None:
    assert as_markdown(TABLE).splitlines() == [
        "| set | pictures | IoU |",
        "| --- | --- | --- |",
        "| shapes | 1,200 | 0.5000 |",
        r"| a \| b c &lt;i> | 3 | - |",
    ]


def test_a_row_of_another_length_than_the_heading_is_refused() -> None:
    with pytest.raises(InputError, match="row 0 has 1 cells, the table has 2 columns"):
        Table(("a", "b"), [["x"]])

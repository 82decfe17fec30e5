"""Rows of words and numbers, and the two forms of them that are text: columns for a terminal, and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anymask.errors import InputError


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names; numbers are right-aligned, floats shown with four decimals."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise InputError(f"row {index} has {len(row)} cells, the table has {len(self.columns)} columns")


def shown(value: str | int | float) -> str:
    """A cell as people read it: four decimals for a float, thousands apart for an int.

    >>> shown(0.5), shown(7232), shown("tiny")
    ('0.5000', '7,232', 'tiny')
    """
    if isinstance(value, str):
        return value
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def as_text(table: Table) -> str:
    """The table in columns two spaces apart, headings first, without a line end after the last row."""
    rows = [[shown(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def as_markdown(table: Table) -> str:
    """The table as Markdown, without a line end after the last row; nothing in a cell can end it or make a tag."""
    rows = [[_escaped(shown(cell)) for cell in row] for row in (table.columns, *table.rows)]
    rows.insert(1, ["---"] * len(table.columns))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")

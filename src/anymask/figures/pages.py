"""One HTML file that needs nothing else: pictures inside, no script, no request to anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from anymask.figures.pictures import Pixels, encode
from anymask.figures.tables import Table, shown

_STYLE = """
:root { color-scheme: light dark; --paper: #fafaf9; --ink: #1c1917; --soft: #78716c; --line: #d6d3d1; --row: #f5f5f4; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1c1917; --ink: #f5f5f4; --soft: #a8a29e; --line: #44403c; --row: #292524; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
       max-width: 70rem; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
.wide { overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem; text-align: left; }
th { color: var(--soft); font-weight: 600; }
tbody tr:nth-child(odd) { background: var(--row); }
.number { text-align: right; }
figure { margin: 1rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
img { max-width: 100%; height: auto; }
.gallery { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
.gallery figure { margin: 0; }
.gallery figcaption { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text; every character is shown as it is."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture with its caption."""

    pixels: Pixels
    """(H, W, 3) uint8 RGB."""
    caption: str = ""
    form: Literal["png", "jpeg"] = "jpeg"
    """`png` keeps every pixel (plots); `jpeg` is smaller (photographs)."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Pictures side by side, as many in a row as fit."""

    pictures: Sequence[Picture]


Block = Heading | Paragraph | Picture | Gallery | Table


def html_page(title: str, blocks: Sequence[Block]) -> str:
    """A whole HTML document of the blocks in order, light or dark as the reader's system is.

    Text is escaped, and a Content-Security-Policy forbids scripts and every request, so a file name or label from
    outside stays inert.

    >>> "&lt;script&gt;" in html_page("<script>", [])
    True
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
    )
    body = "\n".join(_block(block) for block in blocks)
    return f"{head}\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Picture():
            return _picture(block)
        case Gallery(pictures):
            return '<div class="gallery">' + "\n".join(map(_picture, pictures)) + "</div>"
        case Table():
            return _table(block)


def _picture(picture: Picture) -> str:
    data = base64.b64encode(encode(picture.pixels, picture.form)).decode()
    height, width = picture.pixels.shape[:2]
    image = (
        f'<img src="data:image/{picture.form};base64,{data}" width="{width}" height="{height}" '
        f'alt="{escape(picture.caption)}">'
    )
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f"<figure>{image}{caption}</figure>"


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{header}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="number">{shown(value)}</td>'

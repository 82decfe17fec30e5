"""The only home for drawing: overlays, contact sheets, plots and the self-contained HTML page.

Takes: pixels, masks, prompts and rows of numbers, as arrays.
Gives: pictures as (H, W, 3) uint8, and HTML as text; nothing is written to disk here.
Next: `training/` draws its progress, `evaluation/` its reports and `cli/` its answers with it.
"""

from anymask.figures.overlays import outside_dimmed, overlay, palette
from anymask.figures.pages import Gallery, Heading, Paragraph, Picture, html_page
from anymask.figures.pictures import encode
from anymask.figures.plots import Labels, Line, Panel, Series, bars, curves, deltas, histogram, panels
from anymask.figures.sheets import contact_sheet
from anymask.figures.tables import Table, as_markdown, as_text

__all__ = [
    "Gallery",
    "Heading",
    "Labels",
    "Line",
    "Panel",
    "Paragraph",
    "Picture",
    "Series",
    "Table",
    "as_markdown",
    "as_text",
    "bars",
    "contact_sheet",
    "curves",
    "deltas",
    "encode",
    "histogram",
    "html_page",
    "outside_dimmed",
    "overlay",
    "palette",
    "panels",
]

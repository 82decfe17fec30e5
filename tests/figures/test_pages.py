import base64
import hashlib
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from anymask.errors import InputError
from anymask.figures.pages import Block, Gallery, Heading, Paragraph, Picture, Table, html_page

HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)>"'&"""
NOISE = np.random.default_rng(2).integers(0, 256, (8, 12, 3), np.uint8)
EVERY_BLOCK: list[Block] = [
    Heading(HOSTILE),
    Paragraph(HOSTILE),
    Picture(NOISE, HOSTILE, "png"),
    Gallery([Picture(NOISE, HOSTILE), Picture(NOISE)]),
    Table(["set", HOSTILE, "n"], [[HOSTILE, 0.51234, 1200]]),
]


class Reader(HTMLParser):
    """The elements of a page with their attributes, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_is_shown_as_text_and_makes_no_element() -> None:
    page = Reader(html_page(HOSTILE, EVERY_BLOCK))
    tags = {tag for tag, _ in page.elements}
    assert "script" not in tags
    assert [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)] == []
    assert len([tag for tag, _ in page.elements if tag == "img"]) == 3
    assert page.text.count("<script>alert(1)</script>") >= 5


def test_a_page_asks_for_nothing_from_outside() -> None:
    page = html_page("report", EVERY_BLOCK)
    for _, attributes in Reader(page).elements:
        assert "href" not in attributes
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "@import" not in page
    assert "url(" not in page


def test_the_policy_allows_this_style_sheet_only() -> None:
    page = html_page("report", [])
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].startswith("default-src 'none'; img-src data:;")
    assert f"style-src 'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]


def test_pictures_are_inside_the_page_pixel_for_pixel() -> None:
    (data,) = re.findall(r"data:image/png;base64,([^\"]+)", html_page("report", [Picture(NOISE, form="png")]))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), NOISE)


def test_numbers_are_aligned_and_rounded() -> None:
    page = html_page("report", [Table(["set", "IoU", "n"], [["ccp", 0.51234, 1200]])])
    assert '<td>ccp</td><td class="number">0.5123</td><td class="number">1,200</td>' in page


def test_a_row_of_another_length_than_the_header_is_refused() -> None:
    with pytest.raises(InputError, match="row 1 has 1 cells, the table has 2 columns"):
        Table(["a", "b"], [["1", "2"], ["3"]])

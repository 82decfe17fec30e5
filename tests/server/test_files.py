from typing import Any

import pytest

from tests.server.browser import Browser, Site


@pytest.fixture
def pixels(site: Site) -> tuple[Browser, str, bytes]:
    image = site.add_picture(site.add_project())
    ada = site.browser("Ada")
    return ada, image["pixels_url"], ada.get(image["pixels_url"]).content


def test_what_the_browser_has_is_not_sent_again(pixels: tuple[Browser, str, bytes]) -> None:
    ada, url, _ = pixels
    first = ada.get(url)
    assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert not first.headers["etag"].startswith("W/")
    again = ada.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert ada.get(url.split("?")[0]).headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("wanted", "span"),
    [("bytes=0-9", (0, 10)), ("bytes=5-", (5, None)), ("bytes=-7", (-7, None)), ("bytes=3-3", (3, 4))],
)
def test_a_range_is_answered_with_its_bytes(
    pixels: tuple[Browser, str, bytes], wanted: str, span: tuple[int, int | None]
) -> None:
    ada, url, whole = pixels
    answer = ada.get(url, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == whole[span[0] : span[1]]
    assert answer.headers["content-range"].endswith(f"/{len(whole)}")


def test_odd_ranges_are_refused_or_passed_over(pixels: tuple[Browser, str, bytes]) -> None:
    ada, url, whole = pixels
    assert ada.get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert ada.get(url, headers={"Range": "bytes=-0"}).status_code == 416
    for wanted in ("bytes=0-1,3-4", "bytes=a-b", "lines=1-2"):
        assert ada.get(url, headers={"Range": wanted}).content == whole
    assert ada.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).content == whole


def test_a_browser_without_gzip_gets_the_embedding_plain(site: Site) -> None:
    image: Any = site.add_picture(site.add_project())
    site.work()
    ada = site.browser("Ada")
    packed = ada.get(image["embedding_url"], headers={"Accept-Encoding": "gzip"})
    plain = ada.get(image["embedding_url"], headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    for answer in (packed, plain):
        assert answer.headers["vary"] == "Accept-Encoding"

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from anymask.errors import ImageError
from anymask.images import load_image
from anymask.images.sniff import SUFFIXES, media_type_of
from tests.images import pictures


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
        (b"\xef\xbb\xbf <html>", "an HTML page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
        (b"<svg/>", "SVG"),
        (pictures.encode(Image.fromarray(pictures.SCENE), "TIFF"), "TIFF"),
        (pictures.encode(Image.fromarray(pictures.SCENE), "BMP"), "BMP"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0 ftypavif", "AVIF"),
        (b"\0\0\0 ftypisom", "a video"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x89PNG\n\x1a\n", "a PNG whose signature is damaged"),
        (b"hello", "not a known picture format"),
        (b"\xff\xd8\xff", "cut"),
        (pictures.PNG_SIGNATURE, "cut"),
        (b"RIFF\x04\0\0\0WEBP", "no picture in it"),
        (b"GIF89a\x05\0\x05\0\0\0\0;", "cut"),
    ],
)
def test_content_decides_and_not_the_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(path)
    assert "photo.jpg" in str(caught.value)


def test_wrong_name_of_an_allowed_format_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(pictures.FILES["png"])
    assert load_image(path).format == "png"


def test_the_first_bytes_tell_the_media_type_and_the_suffix() -> None:
    for form, suffix in (("jpeg", ".jpg"), ("png", ".png"), ("webp", ".webp"), ("gif", ".gif")):
        content = pictures.encode(Image.fromarray(pictures.SCENE), form.upper())
        assert SUFFIXES[media_type_of(content[:16])] == suffix
    with pytest.raises(ImageError, match="PDF"):
        media_type_of(b"%PDF-1.7")

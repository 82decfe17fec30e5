from __future__ import annotations

import pytest
from PIL import Image, PngImagePlugin

from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container
from tests.images import pictures

_SECRET = b"52.5200 N 13.4050 E"


@pytest.mark.parametrize("name", pictures.FILES)
def test_container_says_format_size_and_orientation(name: str) -> None:
    container = open_container(pictures.FILES[name], ImageLimits())
    assert container.format == {"progressive": "jpeg", "lossless": "webp"}.get(name, name)
    assert container.size_hw == pictures.SCENE.shape[:2]
    assert container.orientation == 1


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_container_states_the_orientation_of_the_file(file_format: str, orientation: int) -> None:
    data = pictures.with_orientation(Image.fromarray(pictures.SCENE), file_format, orientation)
    assert open_container(data, ImageLimits()).orientation == orientation


def test_comments_exif_and_profiles_never_reach_the_decoder() -> None:
    image = Image.fromarray(pictures.SCENE)
    text = PngImagePlugin.PngInfo()
    text.add_text("place", _SECRET.decode())
    exif = Image.Exif()
    exif[0x010E] = _SECRET.decode()
    files = [
        pictures.encode(image, "JPEG", comment=_SECRET, exif=exif, icc_profile=_SECRET),
        pictures.encode(image, "PNG", pnginfo=text, exif=exif),
    ]
    for data in files:
        assert _SECRET in data
        assert _SECRET not in open_container(data, ImageLimits()).data

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from anymask.errors import ConfigError, ImageError
from anymask.images import ImageLimits, load_image
from tests.images import pictures


def _lying_jpeg() -> bytes:
    data = bytearray(pictures.FILES["jpeg"])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


def _lying_webp() -> bytes:
    body = b"\x10\0\0\0" + (15_999).to_bytes(3, "little") + (15_999).to_bytes(3, "little")
    inner = b"WEBPVP8X" + struct.pack("<I", len(body)) + body + pictures.FILES["lossless"][12:]
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def _lying_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + pictures.FILES["gif"][10:]


_BOMBS = {
    "one-bit png of 30k x 30k": pictures.one_bit_png(30_000),
    "png that claims 100k x 100k": pictures.png(100_000, 100_000, depth=8, colour=2, chunks=[]),
    "jpeg that claims 65k x 65k": _lying_jpeg(),
    "webp that claims 16k x 16k": _lying_webp(),
    "gif that claims 65k x 65k": _lying_gif(),
}


_MEASURED_LOAD = """
import sys, time
from pathlib import Path
from anymask.errors import ImageError
from anymask.images import load_image

def peak_kb():  # not rusage: its figure is at least that of the process that started this one
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

load_image(sys.argv[1])  # everything that is imported late is there now
before_kb, began_s = peak_kb(), time.process_time()
try:
    load_image(sys.argv[2])
except ImageError as error:
    grown_kb = peak_kb() - before_kb
    print(time.process_time() - began_s, grown_kb, error)
"""


@pytest.mark.parametrize("name", _BOMBS)
def test_decompression_bomb_is_refused_from_its_header(tmp_path: Path, name: str) -> None:
    good, bomb = tmp_path / "good", tmp_path / "bomb"
    good.write_bytes(pictures.FILES["jpeg"])
    bomb.write_bytes(_BOMBS[name])
    command = [sys.executable, "-c", _MEASURED_LOAD, str(good), str(bomb)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cpu_s, grown_kb, message = done.stdout.split(maxsplit=2)
    assert "expected at most" in message
    assert float(cpu_s) < 0.2
    assert int(grown_kb) < 200_000


def test_limits_are_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    path.write_bytes(pictures.FILES["png"])
    exact = ImageLimits(max_pixels=48 * 64, max_side=64, max_file_bytes=len(pictures.FILES["png"]))
    assert load_image(path, exact).size_hw == (48, 64)
    for tight, reason in (
        (ImageLimits(max_pixels=48 * 64 - 1), "max_pixels"),
        (ImageLimits(max_side=63), "max_side"),
        (ImageLimits(max_file_bytes=len(pictures.FILES["png"]) - 1), "max_file_bytes"),
    ):
        with pytest.raises(ImageError, match=reason):
            load_image(path, tight)
    with pytest.raises(ImageError, match="max_pixels"):
        load_image(pictures.SCENE, ImageLimits(max_pixels=48 * 64 - 1))


def test_zero_width_is_refused() -> None:
    with pytest.raises(ImageError, match="0 x 4 pixels"):
        load_image(pictures.png(0, 4, depth=8, colour=0, chunks=[]))
    jpeg = pictures.FILES["jpeg"]
    frame = jpeg.index(b"\xff\xc0")
    with pytest.raises(ImageError, match="0 x 48 pixels"):
        load_image(jpeg[: frame + 7] + b"\0\0" + jpeg[frame + 9 :])
    with pytest.raises(ImageError, match="0 x 5 pixels"):
        load_image(np.zeros((5, 0, 3), np.uint8))


@pytest.mark.parametrize("field", ["max_pixels", "max_side", "max_file_bytes"])
def test_limit_below_one_is_a_configuration_error(field: str) -> None:
    with pytest.raises(ConfigError, match=f"ImageLimits.{field} is 0"):
        ImageLimits(**{field: 0})

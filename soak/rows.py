"""The rows of the fault table that this code answers for: fault, tests, and the full-size run where it differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from soak import bombs, fuzz_rle, generation


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row; a row passes when its tests pass and its full-size run, where there is one, answers True."""

    fault: str
    """What users, disks or attackers bring."""
    tests: tuple[str, ...]
    """Test files that do it for real, run by `make test` too."""
    full_size: Callable[[], bool] | None = None
    """What runs here beyond the tests; None when the tests already are the full size."""


ROWS: dict[int, Row] = {
    1: Row(fault="malformed run lengths", tests=("tests/masks/test_rle.py",), full_size=fuzz_rle.run),
    2: Row(
        fault="malformed polygons, masks of two sizes",
        tests=("tests/masks/test_polygons.py", "tests/masks/test_rle.py"),
    ),
    3: Row(
        fault="damaged JPEG and PNG files",
        tests=(
            "tests/images/test_load.py",
            "tests/images/test_jpeg.py",
            "tests/images/test_png.py",
            "tests/images/test_webp.py",
        ),
    ),
    4: Row(fault="files that are no pictures", tests=("tests/images/test_load.py", "tests/images/test_sniff.py")),
    5: Row(
        fault="decompression bombs",
        tests=("tests/images/test_load.py", "tests/images/test_limits.py"),
        full_size=bombs.run,
    ),
    6: Row(
        fault="orientation, colour modes, odd sizes",
        tests=("tests/images/test_load.py", "tests/images/test_exif.py", "tests/images/test_gif.py"),
    ),
    7: Row(
        fault="unsafe or damaged weights",
        tests=("tests/model/test_damaged_weights.py", "tests/model/test_weights.py", "tests/model/test_download.py"),
    ),
    8: Row(
        fault="unsafe tar shards",
        tests=("tests/dataset/test_read.py", "tests/dataset/test_members.py", "tests/dataset/test_check.py"),
    ),
    9: Row(
        fault="file names that leave their root",
        tests=("tests/images/test_paths.py", "tests/dataset/test_read.py", "tests/model/test_weights.py"),
    ),
    10: Row(
        fault="one damaged picture in a hundred",
        tests=("tests/data_engine/test_automatic.py", "tests/cli/dataset/test_change.py"),
        full_size=generation.corrupt,
    ),
    11: Row(
        fault="a full or read-only disk",
        tests=("tests/dataset/test_shards.py", "tests/data_engine/test_automatic.py"),
    ),
    12: Row(
        fault="bulk generation killed at random points",
        tests=("tests/data_engine/test_automatic.py",),
        full_size=generation.killed,
    ),
    13: Row(
        fault="a worker killed, a picture that kills every worker",
        tests=("tests/data_engine/test_automatic.py", "tests/data_engine/generation"),
        full_size=generation.requeued,
    ),
    15: Row(
        fault="NaN loss, empty and one-pixel masks",
        tests=("tests/training/test_loop.py", "tests/training/test_interactive.py"),
    ),
    16: Row(
        fault="an embedding of another model or picture",
        tests=("tests/predict/test_embeddings.py", "tests/predict/test_predictor.py"),
    ),
    31: Row(
        fault="the face detector is missing or fails",
        tests=("tests/data_engine/test_release.py", "tests/data_engine/test_privacy.py"),
    ),
}

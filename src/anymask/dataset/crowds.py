"""Pictures of crowds of small things, drawn by rule: blobs on a ground, each one labelled.

Public pictures label people, animals and things that fill much of a picture; a click on one of a hundred alike is rare
in them. These pictures fill that gap and nothing else: no two look alike, and none looks like a photograph.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.png import encode_labels
from anymask.errors import ConfigError, DatasetError

SET_NAME = "crowds"
SIDES = (224, 320)
"""Range of a picture's height and width in pixels."""
_SHARE_HIDDEN = 0.5
"""A thing of which less than this share can be seen gets no label."""

Floats = npt.NDArray[np.float32]


def draw_crowd(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """A picture (H, W, 3) uint8 RGB and its labels (H, W) uint16: 0 for the ground, 1..n for the things seen."""
    height, width = (int(side) for side in rng.integers(SIDES[0], SIDES[1] + 1, 2))
    ground_colour, thing_colour = _two_colours(rng)
    picture = ground_colour + _cloud(height, width, rng) * float(rng.uniform(0, 0.12))
    size = float(np.exp(rng.uniform(np.log(6), np.log(40))))  # mean radius in pixels
    spread, alike = float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.02, 0.2))
    softness, may_touch = float(rng.uniform(0.4, 2.0)), bool(rng.random() < 0.6)
    texture = _cloud(height, width, rng) * float(rng.uniform(0, 0.2))
    full = float(rng.uniform(0.1, 0.5)) * height * width
    labels = np.zeros((height, width), np.uint16)
    areas: list[int] = []
    covered = 0.0
    for _ in range(400):
        radius = size * float(np.exp(rng.normal(0, spread)))
        blob = _blob(height, width, radius, rng)
        free = blob & (labels == 0)
        if not blob.any() or (not may_touch and free.sum() < blob.sum()) or free.sum() < 0.7 * blob.sum():
            covered += 0.2 * np.pi * size**2  # a crowd that is full must end
        else:
            areas.append(int(blob.sum()))
            labels[blob] = len(areas)
            colour = thing_colour + rng.normal(0, alike, 3).astype(np.float32) * (rng.random() < 0.5)
            shade = colour + float(rng.normal(0, alike)) + texture
            alpha = cv2.GaussianBlur(blob.astype(np.float32), (0, 0), softness)[..., None]
            picture = picture * (1 - alpha) + shade * alpha
            covered += float(free.sum())
        if covered >= full:
            break
    picture = picture + rng.normal(0, float(rng.uniform(0, 0.05)), (height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(picture * 255, 0, 255), np.uint8), _only_seen(labels, areas)


def write_crowds(path: Path, pictures: int, seed: int, progress: Callable[[int, int], None] | None = None) -> None:
    """Write `pictures` crowds as the tar shard `path`: members crowds/ID.webp and crowds/ID.png, the same for a seed.

    Raises: ConfigError for fewer than one picture; DatasetError when the file cannot be written.
    """
    if pictures < 1:
        raise ConfigError(f"a shard needs at least one picture, got {pictures}")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as shard:
            for index in range(pictures):
                picture, labels = draw_crowd(np.random.default_rng((seed, index)))
                done, encoded = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 90])
                assert done
                for suffix, data in ((".webp", encoded.tobytes()), (".png", encode_labels(labels))):
                    member = tarfile.TarInfo(f"{SET_NAME}/{seed}_{index:05d}{suffix}")
                    member.size = len(data)
                    shard.addfile(member, io.BytesIO(data))
                if progress is not None:
                    progress(index + 1, pictures)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DatasetError(f"{path} cannot be written ({error.strerror or error}); name another file") from error


def _two_colours(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Colours in [0, 1] of ground and things, different enough to tell apart; half of the pictures are grey."""
    while True:
        pair = rng.uniform(0.03, 0.95, (2, 3)).astype(np.float32)
        if rng.random() < 0.5:
            pair[:] = pair[:, :1]
        if np.abs(pair[0] - pair[1]).mean() > 0.15:
            return pair[0], pair[1]


def _cloud(height: int, width: int, rng: np.random.Generator) -> Floats:
    """(H, W, 1) smooth noise of deviation about 1, on a scale drawn anew."""
    cells = int(rng.integers(3, 24))
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def _blob(height: int, width: int, radius: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """(H, W) a filled ellipse whose outline is bent by a few waves, somewhere in the picture."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    stretch, turn = float(np.exp(rng.normal(0, 0.2))), float(rng.uniform(0, np.pi))
    bend = sum(rng.normal(0, 0.12 / wave) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi)) for wave in (2, 3, 4, 5))
    radii = radius * np.clip(1 + bend, 0.4, 1.8)
    x, y = radii * stretch * np.cos(angles), radii / stretch * np.sin(angles)
    centre_x, centre_y = rng.uniform(0, width), rng.uniform(0, height)
    outline = np.stack(
        (centre_x + x * np.cos(turn) - y * np.sin(turn), centre_y + x * np.sin(turn) + y * np.cos(turn)), axis=1
    )
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round(outline).astype(np.int32)], 1)
    return canvas.astype(bool)


def _only_seen(labels: npt.NDArray[np.uint16], areas: list[int]) -> npt.NDArray[np.uint16]:
    """The labels numbered anew, without things of which too little is left to see."""
    seen = np.bincount(labels.ravel(), minlength=len(areas) + 1)[1:]
    kept = seen >= _SHARE_HIDDEN * np.asarray(areas)
    numbers = np.concatenate(([0], np.where(kept, np.cumsum(kept), 0))).astype(np.uint16)
    return numbers[labels]

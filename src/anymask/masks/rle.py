"""Run-length encoded masks: COCO's compressed form, and the gate that every such mask from outside passes.

The code works on run lengths in numpy (column-major, the first run is background). Nothing malformed reaches native
code: each public function parses and checks the counts before use, so a hand-made `Rle` is as safe as a file's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.types import Rle
from anymask.masks.validate import (
    MAX_COUNTS_BYTES,
    check_expected_size,
    check_mask,
    check_masks,
    check_same_size,
    check_size,
)

Runs = npt.NDArray[np.int64]

_FIRST_CHARACTER = 48
_BITS = 5
_MORE = 0x20
_SIGN = 0x10
_MAX_CHARACTERS = 7
"""Characters of one number: 35 bits hold any run or difference of runs of MAX_PIXELS."""
_SLICE = 2**16
"""Numbers put into characters at once, so that a mask of many runs takes little memory."""


def encode(mask: npt.ArrayLike) -> Rle:
    """The Rle of one mask, (H, W) bool or whole numbers (non-zero is foreground).

    Raises: MaskError for another shape or type.

    >>> encode([[0, 1], [0, 1]]).counts
    b'22'
    """
    return _encode_checked(check_mask(mask))


def encode_batch(masks: npt.ArrayLike) -> list[Rle]:
    """One Rle for each of `masks`, (M, H, W) bool or whole numbers; bit-identical to the COCO library's.

    Raises: MaskError for another shape or type.
    """
    return [_encode_checked(mask) for mask in check_masks(masks)]


def decode(rle: Rle) -> npt.NDArray[np.bool_]:
    """(H, W) bool, C-ordered.

    Raises: MaskError when `rle` is malformed.
    """
    runs = _parse(rle)
    height, width = rle.size_hw
    values = np.zeros(len(runs), np.uint8)
    values[1::2] = 1
    columns = np.repeat(values, runs).reshape(width, height)
    return cv2.transpose(columns).astype(np.uint8, copy=False).reshape(height, width).view(np.bool_)


def decode_batch(rles: Sequence[Rle]) -> npt.NDArray[np.bool_]:
    """(M, H, W) bool of masks of one size.

    Raises: MaskError when there is none, one is malformed, or sizes differ.
    """
    height, width = check_same_size(rle.size_hw for rle in rles)
    for rle in rles:
        validate(rle)
    masks = np.empty((len(rles), height, width), np.bool_)
    for index, rle in enumerate(rles):
        masks[index] = decode(rle)
    return masks


def area(rle: Rle) -> int:
    """Foreground pixels.

    Raises: MaskError when `rle` is malformed.
    """
    return int(_parse(rle)[1::2].sum())


def validate(rle: Rle) -> None:
    """Passes a well-formed `rle`: a real size, and counts that are numbers, not negative, and cover it exactly.

    Raises: MaskError otherwise.
    """
    _parse(rle)


def from_json(value: object, expected_size_hw: tuple[int, int] | None = None) -> Rle:
    """The Rle of `{"size": [h, w], "counts": str | bytes | list}`, the form of COCO and SA-1B files.

    The result is in canonical form (no empty run but the first, shortest characters), so equal masks give equal Rles.

    Raises: MaskError for any other form, a size that is not `expected_size_hw` (when given), and counts that are
    empty, cut, too long, not ASCII, negative, or of another number of pixels.
    """
    if not isinstance(value, Mapping) or "size" not in value or "counts" not in value:
        raise MaskError('an RLE must be an object {"size": [height, width], "counts": ...}')
    size_hw = check_size(value["size"])
    check_expected_size(size_hw, expected_size_hw)
    counts = value["counts"]
    if isinstance(counts, str):
        if not counts.isascii():
            raise MaskError("RLE counts hold characters that are not ASCII; the string is damaged or not COCO's form")
        counts = counts.encode("ascii")
    if isinstance(counts, bytes):
        return _from_runs(_parse(Rle(size_hw, counts)), size_hw)
    return from_uncompressed(counts, size_hw)


def to_json(rle: Rle) -> dict[str, list[int] | str]:
    """`{"size": [h, w], "counts": "..."}`, as COCO and SA-1B files hold it.

    Raises: MaskError when `rle` is malformed.
    """
    validate(rle)
    return {"size": list(rle.size_hw), "counts": rle.counts.decode("ascii")}


def from_uncompressed(counts: object, size_hw: tuple[int, int]) -> Rle:
    """The Rle of plain run lengths (list or 1-D whole-number array), column-major, the first run background.

    Raises: MaskError when a count is not a whole number of 0 or more, or they do not cover `size_hw` exactly.

    >>> from_uncompressed([2, 2], (2, 2)).counts
    b'22'
    """
    size_hw = check_size(size_hw)
    return _from_runs(_check_runs(_whole_numbers(counts, size_hw), size_hw), size_hw)


def from_edges(edges: npt.NDArray[np.int64], size_hw: tuple[int, int]) -> Rle:
    """The Rle of sorted column-major positions where the value flips, background before the first.

    Position x * H + y is pixel (x, y); H * W is the end. A position given twice cancels out, as where a run ends at
    the foot of a column and the next begins at the head of the next one.

    Raises: MaskError when positions are not sorted or lie outside `size_hw`.

    >>> from_edges(np.array([1, 2, 2, 3]), (2, 2)).counts == encode([[0, 1], [1, 0]]).counts
    True
    """
    size_hw = check_size(size_hw)
    pixels = size_hw[0] * size_hw[1]
    if len(edges) and (edges[0] < 0 or edges[-1] > pixels or bool((edges[1:] < edges[:-1]).any())):
        raise MaskError(f"RLE edges must be sorted positions of 0 to {pixels}")
    return Rle(size_hw, _compress(_runs_of_edges(_drop_pairs(edges), pixels)))


def to_uncompressed(rle: Rle) -> list[int]:
    """Run lengths, column-major, the first run background (0 when the mask begins with foreground).

    Raises: MaskError when `rle` is malformed.
    """
    return [int(run) for run in _parse(rle)]


def to_uncompressed_array(rle: Rle) -> Runs:
    """The same as `to_uncompressed`, as (R,) int64.

    Raises: MaskError when `rle` is malformed.
    """
    return _parse(rle)


def merge(rles: Sequence[Rle], intersect: bool = False) -> Rle:
    """The union (or intersection) of masks of one size.

    Raises: MaskError when there is none, one is malformed, or sizes differ.
    """
    size_hw = check_same_size(rle.size_hw for rle in rles)
    merged = native.merge(to_native(rles), int(intersect))
    return Rle(size_hw, bytes(merged["counts"]))


def to_native(rles: Sequence[Rle]) -> list[dict[str, object]]:
    """The dictionaries that the COCO library takes, checked and canonical.

    Raises: MaskError when one is malformed.
    """
    return [{"size": list(rle.size_hw), "counts": _from_runs(_parse(rle), rle.size_hw).counts} for rle in rles]


def _parse(rle: Rle) -> Runs:
    """Checked run lengths of `rle`."""
    size_hw = check_size(rle.size_hw)
    return _check_runs(_decompress(rle.counts), size_hw)


def _check_runs(runs: Runs, size_hw: tuple[int, int]) -> Runs:
    pixels = size_hw[0] * size_hw[1]
    if len(runs) == 0:
        raise MaskError(f"RLE counts are empty; a mask of {size_hw[0]} x {size_hw[1]} needs runs for {pixels} px")
    # A run above the picture would let the sum below wrap around.
    if int(runs.min()) < 0 or int(runs.max()) > pixels:
        raise MaskError("RLE counts hold a negative run or one longer than the picture; the string is damaged")
    if len(runs) > 2 * pixels + 1:
        raise MaskError(f"RLE counts hold {len(runs)} runs for {pixels} px; the string is damaged")
    total = int(runs.sum())
    if total != pixels:
        kind = "short: cut off" if total < pixels else "long: damaged"
        raise MaskError(
            f"RLE counts cover {total} px but size {size_hw[0]} x {size_hw[1]} has {pixels}; they are too {kind}, "
            "or of another picture"
        )
    return runs


def _whole_numbers(counts: object, size_hw: tuple[int, int]) -> Runs:
    if isinstance(counts, np.ndarray):
        if counts.ndim != 1 or not np.issubdtype(counts.dtype, np.integer):
            raise MaskError(
                f"RLE counts are a {counts.dtype} array of shape {counts.shape}, expected whole numbers (R,)"
            )
        values: Sequence[object] = counts.tolist()
    elif isinstance(counts, list | tuple):
        values = counts
    else:
        raise MaskError(f"RLE counts are {type(counts).__name__}, expected a string, bytes or a list of whole numbers")
    pixels = size_hw[0] * size_hw[1]
    if len(values) > 2 * pixels + 1:
        raise MaskError(f"RLE counts hold {len(values)} runs for {pixels} px; the list is damaged")
    for value in values:
        if type(value) is not int or not 0 <= value <= pixels:
            raise MaskError(f"RLE counts must be whole numbers of 0 to {pixels}; one of them is not")
    return np.array(values, np.int64)


def _from_runs(runs: Runs, size_hw: tuple[int, int]) -> Rle:
    """Canonical Rle: neighbours of an empty run are joined."""
    if (runs[1:] == 0).any():
        edges = np.cumsum(runs)[:-1]
        runs = _runs_of_edges(_drop_pairs(edges), size_hw[0] * size_hw[1])
    return Rle(size_hw, _compress(runs))


def _drop_pairs(edges: Runs) -> Runs:
    """Sorted `edges` where each position that occurs an even number of times cancels out."""
    starts = np.flatnonzero(np.diff(edges, prepend=-1))
    if len(starts) == len(edges):
        return edges
    times = np.diff(starts, append=len(edges))
    return np.asarray(edges[starts[times % 2 == 1]])


def _runs_of_edges(edges: Runs, pixels: int) -> Runs:
    """Run lengths between sorted, distinct flips of value; a flip at 0 gives an empty first run."""
    if len(edges) and edges[-1] == pixels:
        edges = edges[:-1]
    return np.diff(edges, prepend=0, append=pixels)


def _encode_checked(mask: npt.NDArray[np.bool_]) -> Rle:
    height, width = mask.shape
    return Rle((height, width), _compress(_runs_of_edges(_edges(mask), height * width)))


def _edges(mask: npt.NDArray[np.bool_]) -> Runs:
    """Sorted column-major positions where the value differs from the pixel before, background before the first.

    Only vertical neighbours inside a column are compared, in memory order and eight pixels a word, and the few hits are
    sorted afterwards: no transposed copy of the mask is made. A column that ends in foreground and a next one that
    begins with it give the same position twice, which cancels.
    """
    height, width = mask.shape
    filled = np.flatnonzero(mask.any(axis=1))
    if len(filled) == 0:
        return np.zeros(0, np.int64)
    first, stop = max(int(filled[0]) - 1, 0), min(int(filled[-1]) + 2, height)
    pixels = np.ascontiguousarray(mask[first:stop]).view(np.uint8)
    rows, columns = np.divmod(_changes(pixels), width)
    edges = np.concatenate(
        [
            columns * height + (rows + first + 1),
            np.flatnonzero(mask[0]) * height,
            np.flatnonzero(mask[-1]) * height + height,
        ]
    )
    edges.sort()
    return _drop_pairs(edges)


def _changes(pixels: npt.NDArray[np.uint8]) -> Runs:
    """Flat positions y * W + x where row y + 1 differs from row y, for (H, W) of 0 and 1."""
    height, width = pixels.shape
    size = (height - 1) * width
    changed = np.zeros(-(-size // 8) * 8, np.uint8)
    np.bitwise_xor(pixels[1:], pixels[:-1], out=changed[:size].reshape(height - 1, width))
    words = np.flatnonzero(changed.view(np.uint64) != 0)
    hits, bits = np.nonzero(changed.view(np.bool_).reshape(-1, 8)[words])
    return np.asarray(words[hits] * 8 + bits)


def _compress(runs: Runs) -> bytes:
    """COCO's counts string: from the fourth on, each run minus the one two before; 5 bits a character, low first."""
    values = runs.copy()
    values[3:] -= runs[1:-2]
    return b"".join(_characters(values[start : start + _SLICE]) for start in range(0, len(values), _SLICE))


def _characters(values: Runs) -> bytes:
    shifts = np.arange(_MAX_CHARACTERS) * _BITS
    chunks = values[:, None] >> shifts  # (R, 7)
    # A number ends where what remains is only the sign that its last chunk already shows.
    rest = values[:, None] >> (shifts + _BITS - 1)
    last = np.argmax((rest == 0) | (rest == -1), axis=1)  # (R,)
    used = np.arange(_MAX_CHARACTERS) <= last[:, None]
    more = np.arange(_MAX_CHARACTERS) < last[:, None]
    codes = (chunks & 0x1F) + more * _MORE + _FIRST_CHARACTER
    return bytes(codes[used].astype(np.uint8))


def _decompress(counts: object) -> Runs:
    """Run lengths of COCO's counts string; may still be negative or of a wrong sum."""
    if not isinstance(counts, bytes):
        raise MaskError(f"compressed RLE counts are {type(counts).__name__}, expected ASCII bytes")
    if not 0 < len(counts) <= MAX_COUNTS_BYTES:
        raise MaskError(f"RLE counts have {len(counts)} characters, expected 1 to {MAX_COUNTS_BYTES}")
    codes = np.frombuffer(counts, np.uint8)
    if int(codes.min()) < _FIRST_CHARACTER or int(codes.max()) >= _FIRST_CHARACTER + 64:
        raise MaskError("RLE counts hold a character outside '0' to 'o'; the string is damaged or not COCO's form")
    codes = codes - np.uint8(_FIRST_CHARACTER)
    ends = np.flatnonzero(codes < _MORE)
    if len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise MaskError("RLE counts end inside a number; the string was cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if int(lengths.max()) > _MAX_CHARACTERS:
        raise MaskError("RLE counts hold a number larger than any mask; the string is damaged")
    offsets = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F).astype(np.int64) << (offsets * _BITS), starts)
    negative = (codes[ends] & _SIGN) != 0
    values[negative] -= np.int64(1) << (lengths[negative] * _BITS)
    # Runs 0, 1 and 2 are absolute; each later one is the difference to the run two before it.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values

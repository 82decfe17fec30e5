from __future__ import annotations

import gc
import io
import json

import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anymask.errors import MaskError
from anymask.masks import rle
from anymask.masks.types import Rle
from anymask.masks.validate import MAX_COUNTS_BYTES, MAX_PIXELS, MAX_SIDE
from soak.sizes import RLE_FUZZ_GROWTH_MIB, RLE_FUZZ_INPUTS
from tests.masks.drawn import Mask, blobs, mask_stacks, masks


def library_counts(mask: Mask) -> bytes:
    """The counts of the COCO library, the judge of ours."""
    (encoded,) = native.encode(np.asfortranarray(mask.astype(np.uint8))[:, :, None])
    return bytes(encoded["counts"])


def slow_runs(counts: bytes) -> list[int] | None:
    """Runs of a counts string, one character at a time as COCO's C code reads it; None where it would overrun."""
    runs: list[int] = []
    position = 0
    while position < len(counts):
        value, shift, more = 0, 0, True
        while more:
            if position == len(counts):
                return None
            code = counts[position] - 48
            if not 0 <= code < 64:
                return None
            value |= (code & 0x1F) << shift
            more = bool(code & 0x20)
            position, shift = position + 1, shift + 5
            if not more and code & 0x10:
                value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


@given(masks())
def test_decode_gives_back_what_encode_took(mask: Mask) -> None:
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@given(masks(max_side=40))
def test_counts_are_the_coco_librarys_to_the_bit(mask: Mask) -> None:
    assert rle.encode(mask).counts == library_counts(mask)


@pytest.mark.parametrize("size_hw", [(333, 517), (512, 256), (1, 700), (700, 1), (97, 8)])
@pytest.mark.parametrize("seed", range(4))
def test_counts_of_larger_masks_are_the_coco_librarys_to_the_bit(size_hw: tuple[int, int], seed: int) -> None:
    mask = blobs(seed, size_hw, level=seed * 0.4 - 0.6)
    assert rle.encode(mask).counts == library_counts(mask)
    assert rle.encode(np.asfortranarray(mask)).counts == library_counts(mask)


def test_counts_of_runs_of_many_bits_and_of_more_runs_than_one_slice_are_the_librarys() -> None:
    checkered = np.indices((700, 301)).sum(0) % 2 == 0
    half = np.zeros((3000, 2000), np.bool_)
    half[:, 1000:] = True
    for mask in (checkered, ~checkered, half, ~half):
        encoded = rle.encode(mask)
        assert encoded.counts == library_counts(mask)
        assert np.array_equal(rle.decode(encoded), mask)


@given(mask_stacks(min_masks=0))
def test_a_batch_is_encoded_as_its_masks_one_by_one(stack: Mask) -> None:
    assert rle.encode_batch(stack) == [rle.encode(mask) for mask in stack]


@given(mask_stacks())
def test_decode_batch_gives_back_the_stack_that_encode_batch_took(stack: Mask) -> None:
    assert np.array_equal(rle.decode_batch(rle.encode_batch(stack)), stack)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_whole_numbers_count_as_foreground_when_not_zero(dtype: type[np.integer]) -> None:
    assert rle.encode(np.array([[0, 3], [7, 0]], dtype)) == rle.encode([[False, True], [True, False]])


def test_decoded_masks_are_bool_rows_first_and_writable() -> None:
    mask = rle.decode(rle.encode(blobs(0, (20, 31))))
    assert mask.dtype == np.bool_
    assert mask.flags.c_contiguous
    assert mask.flags.writeable


@given(masks())
def test_area_counts_the_foreground(mask: Mask) -> None:
    assert rle.area(rle.encode(mask)) == mask.sum()


@given(masks())
def test_every_json_form_gives_the_same_rle(mask: Mask) -> None:
    encoded = rle.encode(mask)
    as_text = json.loads(json.dumps(rle.to_json(encoded)))
    forms = [as_text, as_text | {"counts": encoded.counts}, as_text | {"counts": rle.to_uncompressed(encoded)}]
    assert [rle.from_json(form, mask.shape) for form in forms] == [encoded] * 3
    assert rle.from_uncompressed(rle.to_uncompressed_array(encoded), mask.shape) == encoded


@given(masks(), st.data())
def test_runs_split_by_empty_ones_give_the_same_rle_as_whole_ones(mask: Mask, data: st.DataObject) -> None:
    runs = rle.to_uncompressed(rle.encode(mask))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(runs) - 1))
        head = data.draw(st.integers(0, runs[place]))
        runs[place : place + 1] = [head, 0, runs[place] - head]
    if len(runs) <= 2 * mask.size + 1:
        assert rle.from_uncompressed(runs, mask.shape) == rle.encode(mask)


@given(masks(max_side=6), st.data())
def test_flips_give_the_mask_that_has_them(mask: Mask, data: st.DataObject) -> None:
    flips = data.draw(st.lists(st.integers(0, mask.size)).map(sorted))
    changes = np.zeros(mask.size + 1, np.int64)
    np.add.at(changes, flips, 1)
    expected = (np.cumsum(changes)[:-1] % 2 == 1).reshape(mask.shape[::-1]).T
    assert rle.from_edges(np.array(flips, np.int64), mask.shape) == rle.encode(expected)


@pytest.mark.parametrize("edges", [[3, 2], [-1, 2], [0, 5]])
def test_flips_out_of_order_or_outside_are_refused(edges: list[int]) -> None:
    with pytest.raises(MaskError, match="sorted positions of 0 to 4"):
        rle.from_edges(np.array(edges, np.int64), (2, 2))


@given(mask_stacks())
def test_merge_is_the_union_and_with_intersect_the_intersection(stack: Mask) -> None:
    encoded = rle.encode_batch(stack)
    assert rle.merge(encoded) == rle.encode(stack.any(0))
    assert rle.merge(encoded, intersect=True) == rle.encode(stack.all(0))


@pytest.mark.parametrize("join", [rle.merge, rle.decode_batch])
def test_masks_of_different_sizes_or_none_are_refused_together(join: object) -> None:
    assert callable(join)
    wide, tall = rle.encode(np.ones((2, 3), bool)), rle.encode(np.ones((3, 2), bool))
    with pytest.raises(MaskError, match="one height and width are needed together, got 2 x 3, 3 x 2"):
        join([wide, tall])
    with pytest.raises(MaskError, match="no mask at all"):
        join([])


GOOD = {"size": [4, 5], "counts": b"92203"}

MALFORMED: dict[str, object] = {
    "not an object": [1, 2],
    "no size": {"counts": b"92203"},
    "no counts": {"size": [4, 5]},
    "counts empty": GOOD | {"counts": b""},
    "counts an empty list": GOOD | {"counts": []},
    "counts a number": GOOD | {"counts": 7},
    "counts nothing": GOOD | {"counts": None},
    "text not ASCII": GOOD | {"counts": "92203é"},
    "bytes not ASCII": GOOD | {"counts": b"92203\xe9"},
    "a character below 0": GOOD | {"counts": b"9/203"},
    "a character above o": GOOD | {"counts": b"9p203"},
    "a line end": GOOD | {"counts": b"92203\n"},
    "NUL": GOOD | {"counts": b"92203\0"},
    "one run missing": GOOD | {"counts": b"9220"},
    "one run too many": GOOD | {"counts": b"922033"},
    "cut inside a number": GOOD | {"counts": b"9220P"},
    "a number without end": GOOD | {"counts": b"o" * 4000},
    "a number of 40 bits": GOOD | {"counts": b"PPPPPPP1"},
    "a negative run": {"size": [4, 5], "counts": b"9O>0N"},
    "runs that add up after a wrap": {"size": [4, 5], "counts": [20, 2**63, 2**63]},
    "a negative count": {"size": [4, 5], "counts": [21, -1]},
    "a fraction": {"size": [4, 5], "counts": [19.5, 0.5]},
    "a whole float": {"size": [4, 5], "counts": [20.0]},
    "a truth value": {"size": [1, 1], "counts": [True]},
    "text in a list": {"size": [4, 5], "counts": ["20"]},
    "a nested list": {"size": [4, 5], "counts": [[20]]},
    "nothing but empty runs": {"size": [4, 5], "counts": [0] * 100},
    "a float array": {"size": [4, 5], "counts": np.array([20.0])},
    "an array of two axes": {"size": [4, 5], "counts": np.array([[20]])},
    "size huge": GOOD | {"size": [2**31, 2**31]},
    "size over the sides": GOOD | {"size": [1, MAX_SIDE + 1]},
    "size over the pixels": GOOD | {"size": [MAX_SIDE, MAX_PIXELS // MAX_SIDE + 1]},
    "size negative": GOOD | {"size": [-4, -5]},
    "size zero": {"size": [0, 5], "counts": []},
    "size of one": GOOD | {"size": [20]},
    "size of three": GOOD | {"size": [4, 5, 1]},
    "size in fractions": GOOD | {"size": [4.0, 5.0]},
    "size as text": GOOD | {"size": "45"},
    "size beyond any integer type": GOOD | {"size": [10**4000, 5]},
    "size not the picture's": GOOD | {"size": [5, 4]},
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_rle_is_refused_with_one_sentence(value: object) -> None:
    with pytest.raises(MaskError) as caught:
        rle.from_json(value, (4, 5))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_well_formed_neighbour_of_the_malformed_ones_is_taken() -> None:
    assert rle.from_json(GOOD, (4, 5)) == Rle((4, 5), b"92203")


def test_the_message_says_what_was_given_and_what_was_expected() -> None:
    with pytest.raises(MaskError, match=r"the mask is 4 x 5 .* but the picture is 5 x 4; give the mask that belongs"):
        rle.from_json(GOOD, (5, 4))
    with pytest.raises(MaskError, match=r"cover 15 px but size 4 x 5 has 20; they are too short: cut off"):
        rle.from_json(GOOD | {"counts": b"9220"})
    with pytest.raises(MaskError, match=r"counts have 8388609 characters, expected 1 to 8388608"):
        rle.from_json(GOOD | {"counts": b"0" * (MAX_COUNTS_BYTES + 1)})


@pytest.mark.parametrize(
    "use",
    [
        rle.decode,
        rle.area,
        rle.validate,
        rle.to_json,
        rle.to_uncompressed,
        lambda value: rle.decode_batch([value]),
        lambda value: rle.merge([value, value]),
    ],
    ids=["decode", "area", "validate", "to_json", "to_uncompressed", "decode_batch", "merge"],
)
@pytest.mark.parametrize(
    "value",
    [Rle((4, 5), b"9220"), Rle((4, 5), b""), Rle((2**31, 2**31), b"92203"), Rle((4, 5), b"9220P"), Rle((-4, -5), b"4")],
    ids=["short", "empty", "huge", "cut", "negative"],
)
def test_a_hand_made_malformed_rle_is_refused_by_every_function(use: object, value: Rle) -> None:
    assert callable(use)
    with pytest.raises(MaskError):
        use(value)


@pytest.mark.parametrize(
    "mask",
    [np.zeros((2, 2), np.float32), np.zeros(4, bool), np.zeros((1, 2, 2), bool), np.zeros((0, 4), bool), "mask", None],
    ids=["float", "one axis", "three axes", "no pixel", "text", "nothing"],
)
def test_what_is_no_mask_is_not_encoded(mask: object) -> None:
    with pytest.raises(MaskError):
        rle.encode(mask)


@settings(max_examples=300)
@given(st.binary(max_size=30) | st.lists(st.integers(48, 111), max_size=12).map(bytes), st.integers(1, 6))
def test_the_gate_takes_exactly_the_strings_that_a_character_by_character_reading_understands(
    counts: bytes, side: int
) -> None:
    runs = slow_runs(counts)
    sound = runs is not None and bool(runs) and min(runs) >= 0 and sum(runs) == side * side
    try:
        taken = rle.from_json({"size": [side, side], "counts": counts})
    except MaskError:
        assert not sound or len(runs or []) > 2 * side * side + 1
    else:
        assert sound
        assert runs is not None
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        assert np.array_equal(rle.decode(taken), flat.reshape(side, side).T)


@given(hnp.arrays(np.int64, st.integers(1, 9), elements=st.integers(0, 2**28)))
def test_runs_of_any_length_survive_the_string(runs: np.ndarray) -> None:
    assert slow_runs(rle._compress(runs)) == runs.tolist()
    assert rle._decompress(rle._compress(runs)).tolist() == runs.tolist()


def damaged(rng: np.random.Generator) -> object:
    """One random input of the gate: a real mask damaged in one of many ways, or noise."""
    height, width = (int(n) for n in rng.integers(1, 64, 2))
    size: list[object] = [height, width]
    counts = rle.encode(rng.random((height, width)) < rng.random()).counts
    place = int(rng.integers(len(counts)))
    match int(rng.integers(10)):
        case 0:
            counts = rng.bytes(int(rng.integers(0, 200)))
        case 1:
            counts = rng.integers(48, 112, int(rng.integers(0, 200)), np.uint8).tobytes()
        case 2:
            counts = counts[:place]
        case 3:
            counts = counts[:place] + rng.bytes(1) + counts[place + 1 :]
        case 4:
            counts = counts * int(rng.integers(2, 50))
        case 5:
            extremes = (0, -1, 2**16, 2**31 - 1, 2**31, 2**32, 2**63, 2**64 + 3, -(2**63), None, "9", 1.5, [1], True)
            size[int(rng.integers(2))] = extremes[int(rng.integers(len(extremes)))]
        case 6:
            size = [height * width, 1] if rng.random() < 0.5 else [width, height]
        case 7:
            return {"size": size, "counts": rng.integers(-3, height * width + 3, int(rng.integers(0, 30))).tolist()}
        case 8:
            text = counts.decode("ascii")
            return {"size": size, "counts": text[:place] + chr(int(rng.integers(1, 0xD000))) + text[place:]}
        case _:
            pass
    return {"size": size, "counts": counts}


def test_ten_thousand_random_inputs_are_refused_or_understood_and_memory_stays_flat() -> None:
    rng = np.random.default_rng(2)
    process = psutil.Process()
    outcomes = {"refused": 0, "understood": 0}
    before = 0
    for number in range(RLE_FUZZ_INPUTS + 200):
        if number == 200:  # after the first ones have brought in what stays loaded
            gc.collect()
            before = process.memory_info().rss
        value = damaged(rng)
        try:
            taken = rle.from_json(value)
        except MaskError:
            outcomes["refused"] += 1
            continue
        outcomes["understood"] += 1
        if taken.size_hw[0] * taken.size_hw[1] <= 2**20:
            mask = rle.decode(taken)
            assert rle.merge([taken, rle.encode(mask)]) == taken
    gc.collect()
    assert min(outcomes.values()) > RLE_FUZZ_INPUTS / 10
    assert (process.memory_info().rss - before) / 2**20 < RLE_FUZZ_GROWTH_MIB


def test_a_mask_at_the_limit_of_pixels_is_read_without_making_its_array() -> None:
    # 16384 x 16384: an array of it would be 256 MiB; its runs are two.
    taken = rle.from_json({"size": [2**14, 2**14], "counts": [1, 2**28 - 1]})
    assert rle.area(taken) == 2**28 - 1


def test_masks_of_a_numpy_file_and_of_a_tensor_view_encode_like_arrays() -> None:
    mask = blobs(3, (40, 50))
    file = io.BytesIO()
    np.save(file, mask)
    file.seek(0)
    assert rle.encode(np.load(file)) == rle.encode(mask)
    assert rle.encode(mask[::2, ::3]) == rle.encode(np.ascontiguousarray(mask[::2, ::3]))
    assert rle.encode(mask[::-1]) == rle.encode(np.ascontiguousarray(mask[::-1]))

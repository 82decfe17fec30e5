"""Files in our form; tests/model/test_damaged_weights.py has the bad ones as `load` meets them."""

from pathlib import Path

import pytest
import torch

from anymask.errors import WeightsError
from anymask.model.safe_file import check_digest, check_shapes, content_digest, read_notes, read_safe, write_safe

STATE = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(1, dtype=torch.bfloat16)}


def test_tensors_and_notes_come_back_with_a_digest_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safe(path, {**STATE, "t": STATE["a"].t()}, {"kind": "test"})
    state, notes = read_safe(path)
    assert torch.equal(state["t"], STATE["a"].t())
    assert state["b"].dtype == torch.bfloat16
    assert notes["kind"] == "test"
    assert read_notes(path) == notes
    check_digest(path, state, notes)
    with pytest.raises(WeightsError, match="does not hash"):
        check_digest(path, state, notes | {"kind": "other"})


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safe(path, STATE, {})
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="NaN or infinity"):
        write_safe(path, {"a": torch.tensor([float("inf")])}, {})
    with pytest.raises(WeightsError, match="cannot write"):
        write_safe(tmp_path / "absent" / "x.safetensors", STATE, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_digest_sees_names_values_kinds_and_shapes() -> None:
    changed = [
        {"a": STATE["a"]},
        STATE | {"b": torch.ones(1)},
        STATE | {"a": STATE["a"].view(3, 2)},
        STATE | {"a": STATE["a"] + 1},
    ]
    assert len({content_digest({}, state) for state in (STATE, *changed)}) == 5
    assert content_digest({}, dict(reversed(STATE.items()))) == content_digest({}, STATE)


def test_all_that_differs_is_told_at_once() -> None:
    expected = {"a": torch.Size([3, 2]), "c": torch.Size([1])}
    with pytest.raises(WeightsError, match=r"1 missing \(c\); 1 unknown \(b\); 1 of another shape \(a is \(2, 3\)"):
        check_shapes(STATE, expected, "here")


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"no")
    for read in (read_safe, read_notes):
        with pytest.raises(WeightsError, match="not a whole safetensors file"):
            read(tmp_path / "x.safetensors")

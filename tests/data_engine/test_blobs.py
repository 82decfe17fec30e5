from pathlib import Path

import pytest

from anymask.data_engine.blobs import Blobs
from anymask.errors import LeaseLostError, NotThereError, StoreError
from tests.services.small_disk import small_disk


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A folder, and a store that is none."""
    return Blobs(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_what_is_put_is_read_whole_and_in_parts_under_its_own_hash(blobs: Blobs) -> None:
    key = blobs.put(b"some bytes")
    assert blobs.put(b"some bytes") == key
    assert blobs.has(key)
    assert blobs.size(key) == 10
    assert blobs.read(key) == b"some bytes"
    assert b"".join(blobs.read_part(key, 5, 8)) == b"byt"


def test_a_file_is_kept_as_its_bytes_would_be(blobs: Blobs, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    key = blobs.put_file(file)
    assert key == blobs.put(b"x" * 3_000_000)
    assert blobs.size(key) == 3_000_000


def test_a_file_of_another_disk_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    calls: list[int] = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 5:  # three times while its hash is made, then while it is copied
            raise LeaseLostError("no longer this worker's")

    blobs = Blobs(str(tmp_path / "store"))
    with small_disk(tmp_path / "disk", "8m") as disk:
        file = disk / "file"
        file.write_bytes(b"x" * 3_000_000)
        with pytest.raises(LeaseLostError):
            blobs.put_file(file, stop)
        assert file.exists()
        assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
        key = blobs.put_file(file, lambda: calls.append(1))
        assert not file.exists()
    assert blobs.read(key) == b"x" * 3_000_000
    assert len(calls) == 5 + 6


def test_what_is_not_there_is_named(blobs: Blobs) -> None:
    for ask in (blobs.size, blobs.read, lambda key: list(blobs.read_part(key, 0, 1))):
        with pytest.raises(NotThereError, match=r"000000000000\.\.\. is not in the store"):
            ask("0" * 64)


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(str(tmp_path / "store"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anymask.data_engine.blobs.write_atomically", full)
    with pytest.raises(StoreError, match="No space left"):
        blobs.put(b"data")
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_an_address_of_no_known_kind_is_refused() -> None:
    with pytest.raises(StoreError, match="s3://"):
        Blobs("nosuchscheme://bucket/x")

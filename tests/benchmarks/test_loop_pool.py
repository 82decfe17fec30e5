import tarfile
from pathlib import Path

from benchmarks.loop_pool import main
from tests.training.drawn import draw_set


def test_a_picture_and_its_maps_go_to_one_part_and_other_sets_to_none(tmp_path: Path) -> None:
    for name in ("car_parts", "other"):
        draw_set(tmp_path / "data" / name, 0, 12)
    shard = tmp_path / "all.tar"
    with tarfile.open(shard, "w") as archive:
        archive.add(tmp_path / "data", arcname=".", filter=_bare)
    counts = main([str(shard), "--out", str(tmp_path / "pool")])
    assert counts.total() == 12
    assert min(counts["train"], counts["held"]) > 0
    names = {}
    for part in ("train", "held"):
        with tarfile.open(tmp_path / "pool" / f"{part}.tar") as archive:
            names[part] = {Path(name).stem.partition("__")[0] for name in archive.getnames()}
            assert all(name.startswith("car_parts/") for name in archive.getnames())
    assert not names["train"] & names["held"]


def _bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.name = member.name.removeprefix("./")
    return member

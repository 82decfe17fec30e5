from pathlib import Path

from anymask.data_engine.simulated_annotator import MaskNote, PictureNote
from anymask.data_engine.simulated_notes import count_pictures, effort, keep_note

FIRST = PictureNote(
    "a.webp", [MaskNote("clicked", 4.0, 2, 0.9), MaskNote("brushed", 20.0, 4, 0.95), MaskNote("accepted", 2.0, 0, 0.9)]
)
SECOND = PictureNote("b.webp", [MaskNote("fixed", 12.0, 0, 0.9), MaskNote("dropped", 2.0, 0, 0.1)])


def test_the_work_of_a_turn_is_added_up(tmp_path: Path) -> None:
    for note in (FIRST, SECOND):
        keep_note(tmp_path, 1, note)
    keep_note(tmp_path, 2, FIRST)
    found = effort(tmp_path, 1)
    assert found is not None
    assert (found.pictures, found.kept, found.by_hand) == (2, 4, 3)
    assert (found.accepted, found.fixed, found.dropped, found.brushed) == (1, 1, 1, 1)
    assert found.clicks_a_mask == 2.0
    assert found.seconds_a_mask == 12.0
    assert found.seconds_a_kept_mask == 10.0
    assert found.masks_a_picture == 2.0
    assert effort(tmp_path, 3) is None


def test_a_picture_that_was_done_twice_counts_once_and_a_cut_line_not_at_all(tmp_path: Path) -> None:
    keep_note(tmp_path, 1, SECOND)
    keep_note(tmp_path, 1, SECOND)
    keep_note(tmp_path, 1, PictureNote("c.webp", skipped=True))
    with (tmp_path / "simulated.jsonl").open("a") as stream:
        stream.write('{"turn": 1, "file_na')
    assert count_pictures(tmp_path, 1) == 1

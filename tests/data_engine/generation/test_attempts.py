from __future__ import annotations

from pathlib import Path

from anymask.data_engine.generation.attempts import MAX_TRIES, AttemptFile


def test_the_first_death_blames_nobody_and_makes_the_next_careful(tmp_path: Path) -> None:
    file = AttemptFile(tmp_path, "p")
    assert not file.begin("s").is_careful
    second = file.begin("s")
    assert second.is_careful
    assert second.blamed == {}


def test_who_is_alone_with_a_picture_when_it_dies_blames_it(tmp_path: Path) -> None:
    file = AttemptFile(tmp_path, "p")
    file.begin("s")
    for tries in range(1, MAX_TRIES + 1):
        attempt = file.begin("s")
        assert attempt.poison() == set()
        file.name(attempt, 3)
        file.name(attempt, 4)  # 3 went well
        assert file.begin("s").blamed == {"4": tries}
    assert file.begin("s").poison() == {4}


def test_another_session_and_a_finished_piece_begin_anew(tmp_path: Path) -> None:
    file = AttemptFile(tmp_path, "p")
    file.begin("s")
    file.name(file.begin("s"), 3)
    assert not file.begin("t").is_careful
    file.end()
    assert list(tmp_path.iterdir()) == []
    assert not file.begin("t").is_careful


def test_a_damaged_file_blames_nobody(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{")
    assert not AttemptFile(tmp_path, "p").begin("s").is_careful

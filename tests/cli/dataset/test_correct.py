from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.data_engine import queue
from anymask.data_engine.people import Identity
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ProjectRow
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import write_dataset
from tests.dataset.drawn_pictures import drawn_picture

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "drawn", (drawn_picture(n) for n in range(1, 7)))
    return tmp_path / "drawn"


def add(dataset: Path, workspace: Path, *more: str) -> int:
    arguments = [str(dataset), "--pictures", "3", "--workspace", str(workspace), "--add-only", *more]
    return main(["dataset", "study", "correct", *arguments])


def finish_one(workspace: Path) -> None:
    """As the person alone, who finds nothing to mend on the first picture."""
    database = Database(f"sqlite:///{workspace / 'anymask.db'}")
    me = Identity(1, "me", "admin")

    def work(session: object) -> None:
        project = session.get_one(ProjectRow, 1)
        found = queue.next_task(session, me, project, database.clock(), resume=False)
        assert found is not None
        lease = queue.Lease(found[0].id, found[0].token)
        queue.finish(session, me, lease, database.clock())

    database.write(work)
    database.close()


def test_from_shards_to_the_report_of_what_people_did(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    study = tmp_path / "study"
    assert add(dataset, study) == 0
    assert "3 pictures, 12 new masks" in capsys.readouterr().out
    assert add(dataset, study) == 0
    assert "3 pictures, 0 new masks" in capsys.readouterr().out
    report = ["dataset", "study", "quality", "--workspace", str(study), "--out", str(tmp_path / "report")]
    assert main(report) == 4
    assert "nobody has finished one" in capsys.readouterr().err
    finish_one(study)
    finish_one(study)
    assert main([*report, "--write", str(tmp_path / "corrected"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["work"] == {"finished": 2, "unfinished": 1, "left": 8, "fixed": 0, "deleted": 0, "added": 0}
    assert found["every_pair"]["mean IoU"]["mean"] == 1
    pictures = list(read_labelled(tmp_path / "corrected"))
    assert [len(picture.masks) for picture in pictures] == [4, 4]
    assert "left as they were" in (tmp_path / "report" / "report.html").read_text()


def test_another_draw_needs_another_name(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    assert add(dataset, tmp_path / "study") == 0
    assert add(dataset, tmp_path / "study", "--seed", "1") == 8
    assert "--name" in capsys.readouterr().err
    assert add(dataset, tmp_path / "study", "--seed", "1", "--name", "Second") == 0


def test_the_two_ways_of_asking_are_not_mixed(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    for given in ([], [str(dataset)], [str(dataset), str(dataset), "--workspace", str(tmp_path)]):
        assert main(["dataset", "study", "quality", *given]) == 2
        assert "--workspace DIR" in capsys.readouterr().err

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.data_engine import ratings
from anymask.data_engine.people import Identity
from anymask.data_engine.rating_intake import find_study
from anymask.data_engine.store import Database
from anymask.evaluation.rating.study import read_study
from tests.evaluation.rating.drawn_study import write_set

Capture = pytest.CaptureFixture[str]

ADAPTER = """
import numpy as np

class Half:
    takes_boxes = False
    def __init__(self, left):
        self.left = left
    def set_image(self, pixels):
        self.shape = pixels.shape[:2]
    def predict(self, prompt):
        mask = np.zeros(self.shape, bool)
        half = self.shape[1] // 2
        mask[:, :half] = self.left
        mask[:, half:] = not self.left
        return mask

def make_segmenter():
    return Half({left})
"""


@pytest.fixture
def study(tmp_path: Path, capsys: Capture) -> Path:
    data = write_set(tmp_path / "data", 3)
    for name, left in (("alpha", True), ("beta", False)):
        (tmp_path / f"{name}.py").write_text(ADAPTER.replace("{left}", str(left)))
    arguments = [str(data), "--adapter", str(tmp_path / "alpha.py"), "--adapter", f"second={tmp_path / 'beta.py'}"]
    assert main(["evaluate", "rating", "make", *arguments, "--out", str(tmp_path / "study"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["masks"] == {"bars": 6}
    assert told["columns"] == ["tiny", "alpha", "second", "ground truth"]
    assert told["ratings"] == 24
    return tmp_path / "study"


def rate_all(study: Path, scores: dict[str, int], workspace: Path) -> None:
    """As the person alone would in the page, by column."""
    database = Database(f"sqlite:///{workspace / 'anymask.db'}")

    def work(session: object) -> None:
        row = find_study(session, read_study(study))
        assert row is not None
        me = Identity(1, "me", "admin")
        from anymask.data_engine.tables import RatingItemRow

        while (shown := ratings.standing(session, me, row.project_id).shown) is not None:
            item = session.get(RatingItemRow, shown.item.id)
            ratings.rate(
                session,
                me,
                row.project_id,
                item_id=item.id,
                score=scores[item.column_name] + item.image_id % 2,
                active_ms=1000,
                key=f"key-{item.id:06d}",
                now=database.clock(),
            )

    database.write(work)
    database.close()


def test_a_study_is_made_added_rated_and_reported(study: Path, capsys: Capture) -> None:
    assert main(["evaluate", "rating", "report", str(study)]) == 8
    assert "anymask evaluate rating serve" in capsys.readouterr().err
    for _ in range(2):  # adding again changes nothing
        assert main(["evaluate", "rating", "serve", str(study), "--add-only"]) == 0
    assert "project 1" in capsys.readouterr().out
    assert main(["evaluate", "rating", "report", str(study)]) == 2
    assert "nobody has rated" in capsys.readouterr().err
    scores = {"tiny": 6, "alpha": 3, "second": 2, "ground truth": 8}
    rate_all(study, scores, study / "server")
    assert main(["evaluate", "rating", "report", str(study), "--resamples", "200", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    means = {one["column"]: one["mean"]["mean"] for one in found["means"]}
    assert {name: means[name] - means["second"] for name in means} == {
        name: pytest.approx(score - 2) for name, score in scores.items()
    }
    apart = {(one["first"], one["second"]): one["difference"]["mean"] for one in found["tests"]}
    assert apart["tiny", "alpha"] == 3
    assert apart["tiny", "ground truth"] == -2
    assert len(apart) == 6
    assert (study / "report" / "report.html").is_file()
    assert len((study / "report" / "ratings.csv").read_text().splitlines()) == 25


def test_a_finished_evaluation_is_rated_without_a_model(tmp_path: Path, capsys: Capture) -> None:
    data = write_set(tmp_path / "data", 2)
    points = ["--data", str(data), "--clicks", "1", "--baselines", "felzenszwalb", "--out", str(tmp_path / "points")]
    assert main(["evaluate", "points", *points]) == 0
    made = [str(data), "--results", str(tmp_path / "points"), "--out", str(tmp_path / "study")]
    capsys.readouterr()
    assert main(["evaluate", "rating", "make", *made]) == 0
    assert "4 masks x 3 columns = 12 ratings" in capsys.readouterr().out
    assert read_study(tmp_path / "study").columns == ("tiny", "felzenszwalb", "ground truth")


def test_a_name_that_tells_a_column_is_refused(study: Path, capsys: Capture) -> None:
    assert main(["evaluate", "rating", "serve", str(study), "--add-only", "--name", "Tiny or not"]) == 2
    assert "tells raters" in capsys.readouterr().err


def test_a_folder_that_is_no_study_is_told(tmp_path: Path, capsys: Capture) -> None:
    assert main(["evaluate", "rating", "serve", str(tmp_path)]) == 5
    assert "anymask evaluate rating make" in capsys.readouterr().err
    assert main(["evaluate", "rating", "make"]) == 2
    assert "--data" in capsys.readouterr().err


def test_finished_instances_are_rated_and_what_cannot_be_is_told(tmp_path: Path, capsys: Capture) -> None:
    data = write_set(tmp_path / "data", 2)
    assert main(["evaluate", "instances", "--data", str(data), "--out", str(tmp_path / "instances")]) == 0
    (data / "bars" / "1.webp").write_bytes((data / "bars" / "0.webp").read_bytes())
    made = [str(data), "--prompt", "instances", "--results", str(tmp_path / "instances"), "--out"]
    capsys.readouterr()
    assert main(["evaluate", "rating", "make", *made, str(tmp_path / "study")]) == 0
    told = capsys.readouterr()
    assert "2 masks x 2 columns = 4 ratings" in told.out
    assert "2 not answered by every finished column" in told.err
    assert read_study(tmp_path / "study").columns == ("tiny", "ground truth")

import csv
import io
import json
from pathlib import Path

from anymask.evaluation.rating.report import to_csv, to_plain_report, to_text, write_report
from anymask.evaluation.rating.statistics import RatingStatisticsConfig, compute
from tests.evaluation.rating.test_statistics import drawn, given

CONFIG = RatingStatisticsConfig(resamples=200)
STUDY = {"prompt": "point", "columns": ["new", "old"], "config": {"seed": 0}}


def test_the_report_is_written_whole_in_every_form(tmp_path: Path) -> None:
    ratings = drawn(2)
    figures = compute(ratings, ["new", "old"], CONFIG)
    write_report(ratings, figures, CONFIG, STUDY, 100, tmp_path)
    plain = json.loads((tmp_path / "report.json").read_bytes())
    assert plain["ratings"] == 80
    assert plain["tests"][0]["difference"]["mean"] == figures.tests[0].difference.mean
    assert len(plain["published"]) == 15
    page = (tmp_path / "report.html").read_text()
    for words in ("new - old", "share of each rating", "table 8", "not finished", "green dot"):
        assert words in page
    rows = list(csv.DictReader(io.StringIO((tmp_path / "ratings.csv").read_text())))
    assert [(row["column"], int(row["score"])) for row in rows] == [(one.column, one.score) for one in ratings]
    assert "new - old" in (tmp_path / "report.txt").read_text()


def test_a_difference_beyond_chance_has_a_star_and_others_none() -> None:
    sure = to_text(compute(drawn(5, 60, higher=2), ["new", "old"], CONFIG), 120)
    assert "]*" in sure
    assert "not finished" not in sure
    assert "]*" not in to_text(compute(drawn(5, 60, higher=0), ["new", "old"], CONFIG), 120)


def test_what_is_not_defined_is_null_and_shown_as_a_dash() -> None:
    figures = compute([given(0, "new", 3), given(0, "old", 5)], ["new", "old"], CONFIG)
    assert to_plain_report(figures, CONFIG, STUDY, 2)["tests"][0]["p_two_sided"] is None
    assert to_text(figures, 2).splitlines()[-4].endswith("-")
    alike = compute([given(t, c, 3) for t in range(3) for c in ("new", "old")], ["new", "old"], CONFIG)
    assert to_plain_report(alike, CONFIG, STUDY, 6)["tests"][0]["t"] is None


def test_ratings_are_listed_as_given() -> None:
    assert to_csv([given(3, "new", 7, "Bob", seconds=1.5)]).splitlines()[1] == "Bob,a,a/1,a/1#3,new,7,1.500,"

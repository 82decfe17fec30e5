from pathlib import Path
from typing import Any

import pytest

from anymask.data_engine import projects
from anymask.data_engine.rating_intake import StudySettings, add_study
from anymask.evaluation.rating.making import make_study
from anymask.evaluation.rating.study import RatingConfig, Study
from tests.data_engine.rating_world import make
from tests.evaluation.rating.drawn_study import Square, write_set
from tests.server.browser import Site

HIDDEN = ("alpha", "beta", "ground truth", "ground_truth", "bars", "square")


def add(site: Site, study: Study) -> int:
    services = site.services
    settings = StudySettings(name="masks")
    project_id = add_study(services.database, services.blobs, study, settings, site.ids["Ada"])
    for name in ("Ann", "Bob", "Rob"):
        services.database.write(lambda session, n=name: projects.add_member(session, project_id, site.ids[n]))
    return project_id


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make(tmp_path, 2)


def rating(standing: Any, score: int, key: str) -> dict[str, Any]:
    return {"key": key, "mask_id": standing["mask"]["id"], "score": score, "active_ms": 900}


def test_a_rater_goes_through_a_study_and_takes_one_back(site: Site, study: Study) -> None:
    project, ann = add(site, study), site.browser("Ann")
    assert ann.data("GET", f"/projects/{project}")["kind"] == "rate"
    path = f"/projects/{project}/rating"
    standing = ann.data("GET", path)
    assert (standing["done"], standing["total"], standing["undoable"]) == (0, 12, None)
    for number in range(12):
        mask = standing["mask"]
        assert ann.call("GET", mask["pixels_url"].removeprefix("/api/v1")).status_code == 200
        assert mask["rle"]["size"] == [mask["height"], mask["width"]] == [60, 80]
        assert mask["point"]["foreground"]
        assert mask["box"] is None
        body = rating(standing, 1 + number % 10, f"key-{number:08d}")
        standing = ann.data("POST", path, json=body)
        assert ann.data("POST", path, json=body)["done"] == number + 1  # sent again
        assert standing["undoable"] == body["mask_id"]
    assert standing["mask"] is None
    undone = ann.data("POST", f"{path}/undo", json={"key": "undo-the-last", "mask_id": standing["undoable"]})
    assert (undone["done"], undone["mask"]["id"]) == (11, standing["undoable"])
    assert ann.post(f"{path}/undo", {"key": "undo-another", "mask_id": standing["undoable"]}).status_code == 409
    assert ann.post(path, rating(undone, 11, "key-too-high")).status_code == 422
    progress = site.browser("Rob").data("GET", f"{path}/progress")
    assert [(one["name"], one["rated"]) for one in progress] == [("Ann", 11)]


def test_no_answer_to_a_rater_or_reviewer_tells_the_column(site: Site, study: Study) -> None:
    project = add(site, study)
    for name in ("Ann", "Rob"):
        browser = site.browser(name)
        answers = [browser.call("GET", f"/projects/{project}/rating")]
        image = answers[0].json()["mask"]["pixels_url"].split("/")[4]
        paths = ("", "/images", "/statistics", "/journal", "/members", "/rating/progress", "/jobs")
        answers += [browser.call("GET", f"/projects/{project}{path}") for path in paths]
        answers += [browser.call("GET", f"/images/{image}{path}") for path in ("", "/masks", "/reviews", "/pixels")]
        answers.append(browser.post(f"/projects/{project}/queue/next"))
        for answer in answers:
            told = (answer.content + str(dict(answer.headers)).encode()).decode("latin-1").lower()
            assert [word for word in HIDDEN if word in told] == [], answer.url


def test_boxes_are_shown_as_they_were_given(site: Site, tmp_path: Path) -> None:
    config = RatingConfig(prompt="box")
    boxes = make_study(config, [write_set(tmp_path / "data")], [Square("alpha")], tmp_path / "boxes")
    mask = site.browser("Ann").data("GET", f"/projects/{add(site, boxes)}/rating")["mask"]
    assert mask["point"] is None
    assert set(mask["box"]) == {"x0", "y0", "x1", "y1"}
    given = {target.box_xyxy for picture in boxes.pictures() for target in picture.targets}
    assert tuple(mask["box"].values()) in given


def test_outsiders_and_annotators_are_kept_from_what_is_not_theirs(site: Site, study: Study) -> None:
    project = add(site, study)
    assert site.browser("Out").call("GET", f"/projects/{project}/rating").status_code == 404
    assert site.browser("Ann").call("GET", f"/projects/{project}/rating/progress").status_code == 403
    assert site.browser("Ann").post(f"/projects/{project}/queue/next").status_code == 403
    other = site.add_project()
    assert site.browser("Ann").call("GET", f"/projects/{other}/rating").status_code == 422

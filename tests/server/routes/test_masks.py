import base64
from typing import Any

import pytest

from tests.server.browser import Browser, Site, action


@pytest.fixture
def image(site: Site) -> Any:
    made = site.add_picture(site.add_project())
    site.work()
    return made


def test_actions_are_applied_once_and_conflicts_show_both_versions(site: Site, image: Any) -> None:
    rob: Browser = site.browser("Rob")
    path, made = f"/images/{image['id']}/actions", action(label="cup")
    answers = [rob.post(path, {"actions": [made]}) for _ in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["results"][0]["outcome"] for answer in answers]
    assert outcomes == ["applied"] + ["repeated"] * 9
    mine, theirs = (
        action("replace", box, mask_id=made["mask_id"], base_version=1) for box in ((0, 0, 5, 5), (0, 0, 7, 7))
    )
    rob.data("POST", path, json={"actions": [theirs]})
    answer = site.browser("Ada").post(path, {"actions": [mine]})
    assert answer.status_code == 409
    conflict = answer.json()["results"][0]["conflict"]
    assert (conflict["theirs"]["version"], conflict["theirs"]["area_px"]) == (2, 49)
    assert conflict["yours"]["key"] == mine["key"]
    versions = rob.data("GET", f"/masks/{made['mask_id']}/versions")
    assert [each["version"] for each in versions] == [1, 2]
    masks = rob.data("GET", f"/images/{image['id']}/masks")["masks"]
    assert [(mask["order"], mask["label"]) for mask in masks] == [(1, None)]


def test_a_refused_mask_says_why_and_changes_nothing(site: Site, image: Any) -> None:
    rob = site.browser("Rob")
    bad = action()
    bad["mask"]["rle"]["counts"] = "nonsense"
    answer = rob.post(f"/images/{image['id']}/actions", {"actions": [bad, action()]})
    assert answer.status_code == 409
    assert [result["outcome"] for result in answer.json()["results"]] == ["refused", "not_tried"]
    assert "RLE" in answer.json()["results"][0]["message"]
    assert rob.data("GET", f"/images/{image['id']}/masks")["masks"] == []


def test_the_server_decodes_what_a_browser_cannot(site: Site, image: Any) -> None:
    ann, path = site.browser("Ann"), f"/images/{image['id']}/decode"
    first = ann.data("POST", path, json={"prompt": {"points": [{"x": 20, "y": 20}]}})
    assert (len(first["masks"]), first["model_sha256"]) == (3, site.services.model.sha256)
    best = first["masks"][first["best"]]
    assert best["rle"]["size"] == [image["height"], image["width"]]
    prompt = {"points": [{"x": 20, "y": 20}, {"x": 1, "y": 1, "foreground": False}], "used_mask": True}
    more = ann.data("POST", path, json={"prompt": prompt, "mask_logits": best["logits"]})
    assert len(more["masks"]) == 1
    boxed = ann.data("POST", path, json={"prompt": {"box": {"x0": 2, "y0": 2, "x1": 30, "y1": 30}}, "multimask": False})
    assert len(boxed["masks"]) == 1
    for bad in (
        {"prompt": {}},
        {"prompt": {"box": {"x0": 9, "y0": 9, "x1": 1, "y1": 1}}},
        {"prompt": {"points": [{"x": 1, "y": 1}]}, "mask_logits": "%%%"},
        {"prompt": {"points": [{"x": 1, "y": 1}]}, "mask_logits": base64.b64encode(b"ab").decode()},
    ):
        assert ann.post(path, bad).status_code == 422


def test_a_picture_goes_to_review_and_back(site: Site, image: Any) -> None:
    rob, made = site.browser("Rob"), action()
    rob.data("POST", f"/images/{image['id']}/actions", json={"actions": [made]})
    path = f"/images/{image['id']}/reviews"
    rob.data("POST", path, json={"decision": "reject", "mask_id": made["mask_id"]})
    assert rob.data("GET", f"/images/{image['id']}/masks")["masks"][0]["state"] == "rejected"
    assert rob.data("POST", path, json={"decision": "fix", "comment": "the handle"})["decision"] == "fix"
    assert [each["decision"] for each in site.browser("Ann").data("GET", path)] == ["reject", "fix"]
    task = site.browser("Ann").data("POST", f"/projects/{image['project_id']}/queue/next", json={})
    assert (task["comment"], task["image"]["review"], task["image"]["masks"]) == ("the handle", "fix", 0)
    assert rob.post(path, {"decision": "fix", "mask_id": made["mask_id"]}).status_code == 422

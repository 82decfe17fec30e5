"""The matrix: every route, as every kind of person, on what is theirs and what is not. Made from the description."""

from typing import Any

import pytest

from anymask.server.rules import Access
from tests.server.browser import Browser, Site, action
from tests.server.test_router import OPERATIONS

PEOPLE = ("nobody", "Out", "Ray", "Ann", "Rob", "Ada")
ADMITTED = {
    Access.PUBLIC: set(PEOPLE),
    Access.SIGNED_IN: set(PEOPLE) - {"nobody"},
    Access.MEMBER: {"Ann", "Rob", "Ada"},
    Access.REVIEWER: {"Rob", "Ada"},
    Access.ADMIN: {"Ada"},
}
"""Out and Ray are an annotator and a reviewer of no project; what is asked for belongs to the project of the others."""
REFUSED = {401, 403, 404}
OWN_RULES = {"sign_in", "sign_out"}
"""Of which the answer itself depends on who asks; test_deps.py has them."""


@pytest.fixture
def things(site: Site) -> dict[str, Any]:
    """One of each kind, all of one project; the mask is Bob's."""
    project = site.add_project()
    image = site.add_picture(project)
    site.work()
    bob, ada = site.browser("Bob"), site.browser("Ada")
    task = bob.data("POST", f"/images/{image['id']}/task", json={})
    lease = {"task_id": task["id"], "token": task["lease"]["token"]}
    made = action()
    bob.data("POST", f"/images/{image['id']}/actions", json={"lease": lease, "actions": [made]})
    job = ada.data("POST", f"/projects/{project}/exports", json={"format": "coco", "only_finished": False})
    site.work()
    return {
        "project_id": project,
        "image_id": image["id"],
        "person_id": site.ids["Bob"],
        "task_id": task["id"],
        "mask_id": made["mask_id"],
        "job_id": job["id"],
        "sha256": site.services.model.sha256,
    }


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What FastAPI takes as a body for this route: as little as it can be."""
    content = schema.get("requestBody", {}).get("content", {})
    if "application/octet-stream" in content:
        return {"content": b"no picture"}
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
    bodies: dict[str, Any] = {
        "PersonIn": {"name": "New", "role": "annotator", "password": "long enough indeed"},
        "ProjectIn": {"name": "new"},
        "Token": {"token": 1},
        "Skip": {"token": 1},
        "ActionBatch": {"actions": [action()]},
        "DecodeIn": {"prompt": {"points": [{"x": 3, "y": 3}]}},
        "ReviewIn": {"decision": "accept"},
        "ImportIn": {"format": "folder", "path": "/nowhere"},
        "ExportIn": {"format": "coco"},
    }
    return {"json": bodies.get(name, {})} if content else {}


@pytest.mark.parametrize("person", PEOPLE)
def test_no_route_lets_anybody_do_what_its_rule_does_not(site: Site, things: dict[str, Any], person: str) -> None:
    browser: Browser = site.stranger() if person == "nobody" else site.browser(person)
    for method, path, each in OPERATIONS:
        name, rule = each["operationId"], Access(each["x-access"])
        if name in OWN_RULES:
            continue
        query = "?file_name=x.json&format=coco" if "octet-stream" in str(each.get("requestBody")) else ""
        answer = browser.call(method.upper(), path.format(**things) + query, **body_of(each))
        if person in ADMITTED[rule]:
            # Annotators need the lease, which is Bob's; all else that is no success is about values, not persons.
            allowed = {200, 201, 202, 204, 409, 422} | ({403} if name == "apply_actions" and person == "Ann" else set())
            assert answer.status_code in allowed, (person, name, answer.status_code, answer.text)
        else:
            assert answer.status_code in REFUSED, (person, name, answer.status_code, answer.text)
            assert set(answer.json()) == {"kind", "message"}


def test_an_annotator_changes_nobody_elses_picture(site: Site, things: dict[str, Any]) -> None:
    ann, image = site.browser("Ann"), things["image_id"]
    bobs = site.browser("Bob").data("POST", f"/images/{image}/task", json={})["lease"]
    lease = {"task_id": bobs["task_id"], "token": bobs["token"]}
    undo = action("delete", mask_id=things["mask_id"], base_version=1)
    for given in (None, lease):
        answer = ann.post(f"/images/{image}/actions", {"lease": given, "actions": [undo]})
        assert answer.status_code in (403, 409)
        assert answer.json()["kind"] in ("not_allowed", "lease_lost")
    for end in ("heartbeat", "finish", "skip", "release"):
        answer = ann.post(f"/tasks/{bobs['task_id']}/{end}", {"token": bobs["token"]})
        assert answer.json()["kind"] == "lease_lost"
    assert ann.post(f"/images/{image}/task").status_code == 409
    assert [mask["deleted"] for mask in ann.data("GET", f"/images/{image}/masks")["masks"]] == [False]

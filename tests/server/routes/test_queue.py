from tests.server.browser import Site


def test_the_queue_goes_on_until_nothing_is_left(site: Site) -> None:
    project = site.add_project()
    images = [site.add_picture(project, f"{index}.png", index) for index in range(3)]
    ann, bob = site.browser("Ann"), site.browser("Bob")
    task = ann.data("POST", f"/projects/{project}/queue/next", json={})
    assert task["image"]["id"] == images[0]["id"]
    assert [each["id"] for each in task["upcoming"]] == [images[1]["id"], images[2]["id"]]
    token = {"token": task["lease"]["token"]}
    assert ann.data("POST", f"/tasks/{task['id']}/heartbeat", json=token)["lease_s"] == 900
    assert bob.post(f"/images/{images[0]['id']}/task").status_code == 409
    assert ann.data("POST", f"/tasks/{task['id']}/finish", json=token)["state"] == "done"
    assert ann.data("POST", f"/tasks/{task['id']}/finish", json=token)["state"] == "done"
    second = ann.data("POST", f"/projects/{project}/queue/next", json={})
    token = {"token": second["lease"]["token"]}
    assert ann.data("POST", f"/tasks/{second['id']}/release", json=token)["state"] == "waiting"
    again = bob.data("POST", f"/projects/{project}/queue/next", json={})
    assert again["id"] == second["id"]
    token = {"token": again["lease"]["token"], "reason": "too dark"}
    assert bob.data("POST", f"/tasks/{again['id']}/skip", json=token)["state"] == "waiting"
    third = bob.data("POST", f"/projects/{project}/queue/next", json={"resume": False})
    assert third["image"]["id"] == images[2]["id"]
    assert bob.post(f"/projects/{project}/queue/next", {"resume": False}).status_code == 204
    assert ann.post(f"/projects/{project}/queue/next", {"kind": "review"}).status_code == 403
    assert ann.post("/projects/999/queue/next").status_code == 404

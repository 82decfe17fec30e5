from tests.server.browser import Site, action


def test_a_project_has_instructions_settings_and_members(site: Site) -> None:
    ada = site.browser("Ada")
    project = site.add_project("cups", suggest_next_after_s=20)
    seen = ada.data("GET", f"/projects/{project}")
    assert "no class is needed" in seen["instructions"]
    assert (seen["settings"]["suggest_next_after_s"], seen["settings"]["lease_s"]) == (20, 900)
    changed = ada.data("PATCH", f"/projects/{project}", json={"instructions": "Only cups."})
    assert (changed["instructions"], changed["name"]) == ("Only cups.", "cups")
    names = [person["name"] for person in site.browser("Ann").data("GET", f"/projects/{project}/members")]
    assert names == ["Ada", "Ann", "Bob", "Rob"]
    assert ada.call("DELETE", f"/projects/{project}/members/{site.ids['Ann']}").status_code == 204
    assert site.browser("Ann").get(f"/projects/{project}").status_code == 404
    assert site.browser("Ann").data("GET", "/projects") == []


def test_statistics_and_journal_tell_of_the_work(site: Site) -> None:
    project = site.add_project()
    image = site.add_picture(project)
    rob = site.browser("Rob")
    rob.data("POST", f"/images/{image['id']}/actions", json={"actions": [action(), action()]})
    numbers = rob.data("GET", f"/projects/{project}/statistics")
    assert numbers["all"]["masks"] == 2
    assert numbers["all"]["seconds_per_mask"]["median"] == 2.0
    assert [group["group"] for group in numbers["by_person"]] == ["Rob"]
    page = rob.data("GET", f"/projects/{project}/journal?limit=1")
    assert [entry["kind"] for entry in page["entries"]] == ["create"]
    rest = rob.data("GET", f"/projects/{project}/journal?after={page['last_seq']}&image_id={image['id']}")
    assert [entry["kind"] for entry in rest["entries"]] == ["create"]

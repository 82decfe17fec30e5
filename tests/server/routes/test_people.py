from tests.server.browser import Site


def test_a_person_is_added_changed_and_ended_but_never_removed(site: Site) -> None:
    ada = site.browser("Ada")
    given = {"name": "Zoe", "role": "annotator", "password": "a first password"}
    zoe = ada.data("POST", "/people", json=given)
    assert ada.post("/people", given).status_code == 409
    browser = site.stranger()
    assert browser.sign_in("Zoe", "a first password").status_code == 200
    changed = ada.data("PATCH", f"/people/{zoe['id']}", json={"role": "reviewer", "active": False})
    assert (changed["role"], changed["active"]) == ("reviewer", False)
    assert browser.get("/projects").status_code == 401
    assert "Zoe" in [person["name"] for person in ada.data("GET", "/people")]
    assert ada.call("PATCH", "/people/999", json={}).status_code == 404
    assert ada.call("PATCH", f"/people/{site.ids['Ada']}", json={"active": False}).status_code == 409

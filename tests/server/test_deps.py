import pytest

from tests.server.browser import PASSWORD, Browser, Site


def test_a_request_that_changes_something_needs_the_sessions_own_token(site: Site) -> None:
    ada, rob = site.browser("Ada"), site.browser("Rob")
    for token in ("", "0" * 64, rob.csrf):
        answer = ada.call("POST", "/projects", json={"name": "x"}, headers={"X-CSRF-Token": token})
        assert (answer.status_code, answer.json()["kind"]) == (403, "csrf")
    assert ada.post("/projects", {"name": "x"}).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_sites_page_is_refused_even_with_the_cookie(site: Site, headers: dict[str, str]) -> None:
    ada = site.browser("Ada")
    assert ada.call("POST", "/projects", json={"name": "x"}, headers=headers).status_code == 403
    anyone = site.stranger()
    answer = anyone.call("POST", "/session", json={"name": "Ada", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403


def test_a_link_from_elsewhere_may_open_the_page_but_not_the_interface(site: Site) -> None:
    ada, headers = site.browser("Ada"), {"Sec-Fetch-Site": "cross-site"}
    assert ada.client.get("/", headers=headers).status_code == 200
    assert ada.get("/projects", headers=headers).status_code == 403


def test_the_cookie_is_of_no_use_after_sign_out(site: Site) -> None:
    ann: Browser = site.stranger()
    assert ann.sign_in("Ann").status_code == 200
    cookie = ann.client.cookies["anymask_session"]
    assert ann.get("/projects").status_code == 200
    assert ann.call("DELETE", "/session").status_code == 204
    thief = site.stranger()
    thief.client.cookies.set("anymask_session", cookie)
    assert thief.get("/projects").status_code == 401


def test_signing_in_gives_a_new_session_and_ends_the_one_there_was(site: Site) -> None:
    browser: Browser = site.stranger()
    fixed = {"Cookie": "anymask_session=fixed-by-somebody-else"}
    browser.call("POST", "/session", json={"name": "Ann", "password": PASSWORD}, headers=fixed)
    first = browser.client.cookies["anymask_session"]
    assert first != "fixed-by-somebody-else"
    answer = browser.sign_in("Ann")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    old = site.stranger()
    old.client.cookies.set("anymask_session", first)
    assert old.get("/projects").status_code == 401

from dataclasses import replace

from anymask.server.app import create_app
from tests.server.browser import PASSWORD, Browser, Site


def test_signing_in_shows_who_one_is_and_the_model(site: Site) -> None:
    browser = site.stranger()
    assert browser.data("GET", "/session") == {"person": None, "csrf_token": None, "mode": "team"}
    assert browser.data("GET", "/info")["model"] is None
    answer = browser.sign_in("Ann")
    assert answer.json()["person"]["role"] == "annotator"
    model = browser.data("GET", "/info")["model"]
    assert model["sha256"] == site.services.model.sha256
    assert model["decoder_bytes"] == 11
    assert browser.get(model["decoder_url"]).content == b"the decoder"
    assert browser.get(f"/models/{'0' * 64}/decoder.onnx").status_code == 404


def test_guessing_passwords_ends_after_five_tries(site: Site) -> None:
    browser = site.stranger()
    codes = [browser.sign_in("Ann", "a wrong password").status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    answer = browser.sign_in("Ann", PASSWORD)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_alone_the_session_begins_by_itself_and_nobody_signs_in(site: Site) -> None:
    services = replace(site.services, config=replace(site.services.config, mode="alone"))
    browser = Browser(create_app(services))
    seen = browser.data("GET", "/session")
    assert (seen["mode"], seen["person"]["name"], seen["person"]["role"]) == ("alone", "me", "admin")
    browser.csrf = seen["csrf_token"]
    assert browser.data("GET", "/session") == seen
    assert browser.post("/projects", {"name": "mine"}).status_code == 201
    assert browser.sign_in("me", "").status_code == 403
    # Another site's page gets no session.
    other = Browser(create_app(services))
    assert other.get("/session", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert not other.client.cookies

from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from anymask.server.app import NOT_BUILT, create_app, is_built
from tests.server.browser import ORIGIN, Site


def test_without_the_tool_the_page_says_how_to_build_it(site: Site, tmp_path: Path) -> None:
    assert NOT_BUILT in site.browser("Ada").client.get("/").text
    assert not is_built(tmp_path)


def test_the_tools_pages_are_one_page_and_its_files_are_kept_for_ever(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("the tool")
    (folder / "assets" / "main.1a2b.js").write_text("code")
    assert is_built(folder)
    services = replace(site.services, config=replace(site.services.config, static=folder))
    client = TestClient(create_app(services), base_url=ORIGIN)
    for path in ("/", "/projects/7", "/images/3/annotate"):
        answer = client.get(path)
        assert (answer.text, answer.headers["cache-control"]) == ("the tool", "no-cache")
    assert "immutable" in client.get("/assets/main.1a2b.js").headers["cache-control"]
    for path in (
        "/api/v1/nothing",
        "/assets/none.js",
        "/%2e%2e/%2e%2e/etc/passwd.txt",
        "/assets/..%2f..%2fx.py",
    ):
        assert client.get(path).status_code == 404, path


def test_the_description_is_served_and_no_page_from_elsewhere_with_it(site: Site) -> None:
    client = site.browser("Ada").client
    assert client.get("/openapi.json").json()["info"]["title"] == "anymask"
    assert client.get("/docs").status_code == 404

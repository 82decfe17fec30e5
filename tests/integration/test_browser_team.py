"""Two people in two browsers on a team's server: sign-in, a project, a mask, a review."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.cli.servers import PASSWORD, Client, Running
from tests.integration.chromium import Tool, browsing, project_of

pytestmark = pytest.mark.slow

ANN_PASSWORD = "a password for Ann"


def sign_in(tool: Tool, name: str, password: str) -> None:
    tool.page.get_by_label("Name", exact=True).fill(name)
    tool.page.get_by_label("Password").fill(password)
    tool.page.get_by_role("button", name="Sign in").click()
    expect(tool.page.get_by_role("heading", name="Projects")).to_be_visible()


def add_ann(tool: Tool) -> None:
    tool.page.get_by_role("link", name="People").click()
    tool.page.get_by_label("Name", exact=True).fill("Ann")
    tool.page.get_by_label("Password").fill(ANN_PASSWORD)
    tool.page.get_by_role("button", name="Add person").click()
    expect(tool.page.get_by_role("rowheader", name="Ann")).to_be_visible()


def make_project(tool: Tool, picture: Path) -> None:
    """A project with one picture, where Ann is a member and finished pictures are reviewed."""
    tool.page.get_by_role("link", name="anymask").click()
    tool.page.get_by_label("Name", exact=True).fill("Cups")
    tool.page.get_by_role("button", name="Add project").click()
    tool.page.get_by_role("link", name="Cups").click()
    tool.page.get_by_label("From this computer").set_input_files(picture)
    expect(tool.page.get_by_text("1 of 1 pictures added")).to_be_visible()
    tool.page.get_by_label("Finished pictures go to a reviewer").check()
    tool.page.get_by_role("button", name="Save").click()
    tool.page.get_by_label("Ann annotator").click()
    expect(tool.page.get_by_label("Ann annotator")).to_be_checked()


def test_one_person_annotates_and_another_reviews(
    small_model: Path, small_decoder: Path, tmp_path: Path, photo_path: Path
) -> None:
    arguments = ["serve", "--workspace", str(tmp_path / "team"), "--port", "0", "--model", str(small_model)]
    with Running(arguments, cache=small_decoder) as server:
        with browsing(tmp_path / "admin") as context:
            admin = Tool(context.pages[0], server.url)
            admin.open("/")
            sign_in(admin, "admin", PASSWORD)
            add_ann(admin)
            make_project(admin, photo_path)
            project = project_of(admin.page)
            assert admin.faults == []
        with browsing(tmp_path / "ann") as context:
            ann = Tool(context.pages[0], server.url)
            ann.open("/")
            sign_in(ann, "Ann", ANN_PASSWORD)
            expect(ann.page.get_by_role("link", name="People")).to_have_count(0)
            ann.page.get_by_role("link", name="Annotate", exact=True).first.click()
            ann.wait_for_model()
            ann.press("b")
            ann.drag((0.4, 0.4), (0.6, 0.6))
            ann.expect_masks(1)
            ann.page.get_by_role("button", name="Done, next").click()
            expect(ann.page.get_by_role("heading", name="Nothing left to annotate")).to_be_visible()
            assert ann.faults == []
        with browsing(tmp_path / "admin") as context:
            admin = Tool(context.pages[0], server.url)
            admin.open(f"/projects/{project}/review")
            expect(admin.page.get_by_role("heading", name="1 mask")).to_be_visible()
            admin.page.get_by_role("button", name="Mask 1").click()
            expect(admin.page.get_by_text("As it was first")).to_be_visible()
            admin.page.get_by_role("button", name="Accept", exact=True).click()
            expect(admin.page.get_by_role("heading", name="Nothing left to review")).to_be_visible()
            assert admin.faults == []
        boss = Client(server.url).sign_in("admin")
        (image,) = boss.data("GET", f"/projects/{project}/images")["images"]
        assert (image["state"], image["review"], image["masks"]) == ("done", "accept", 1)


def test_a_picture_in_other_hands_is_said_and_a_long_mask_suggests_going_on(
    small_model: Path, small_decoder: Path, tmp_path: Path, photo_path: Path
) -> None:
    arguments = ["serve", "--workspace", str(tmp_path / "team"), "--port", "0", "--model", str(small_model)]
    with Running(arguments, cache=small_decoder) as server:
        boss = Client(server.url).sign_in("admin")
        project = boss.data("POST", "/projects", {"name": "cups", "settings": {"suggest_next_after_s": 1}})["id"]
        boss.call("POST", f"/projects/{project}/images?file_name=a.jpg", photo_path.read_bytes())
        image = server.wait_for_embedding(boss, project)
        person = boss.data("POST", "/people", {"name": "Ann", "password": ANN_PASSWORD, "role": "annotator"})
        boss.data("PUT", f"/projects/{project}/members/{person['id']}")
        ann = Client(server.url).sign_in("Ann", ANN_PASSWORD)
        task = ann.data("POST", f"/projects/{project}/queue/next", {"kind": "annotate"})
        with browsing(tmp_path / "profile") as context:
            tool = Tool(context.pages[0], server.url)
            tool.open("/")
            sign_in(tool, "admin", PASSWORD)
            tool.open(f"/projects/{project}/annotate/{image['id']}")
            expect(tool.page.get_by_role("alert")).to_contain_text("Ann is working on this picture")
            ann.data("POST", f"/tasks/{task['id']}/release", {"token": task["lease"]["token"]})
            tool.page.reload()
            tool.wait_for_model()
            expect(tool.page.locator(".suggestion")).to_have_count(0)
            tool.click(0.5, 0.5)
            expect(tool.page.locator(".suggestion")).to_contain_text("This one takes more than 1 s")
            tool.press("Escape")
            expect(tool.page.locator(".suggestion")).to_have_count(0)
            assert tool.faults == []

"""Rows 20 to 23 of the fault table in a real browser, at the size of `make test`, and WebGPU."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from soak import browser_faults, sizes
from tests.cli.servers import PASSWORD, Client, Running
from tests.data_engine.world import draw_picture
from tests.integration.annotating import masks_of, wait_for_pictures
from tests.integration.chromium import Tool, browsing
from tests.services.failing_disk import failing_disk

pytestmark = pytest.mark.slow


def test_strokes_wait_in_the_browser_for_the_network_and_for_a_server_that_fails(
    server: Running, tmp_path: Path
) -> None:
    me = server.browser()
    image, _ = wait_for_pictures(me)
    browser_faults.lose_the_network(
        server.url, me, image, tmp_path / "profile", offline_s=sizes.OFFLINE_S_CI, strokes=sizes.OFFLINE_STROKES
    )


def test_a_session_that_ended_in_the_middle_loses_nothing(
    small_model: Path, small_decoder: Path, tmp_path: Path, photo_path: Path
) -> None:
    arguments = ["serve", "--workspace", str(tmp_path / "team"), "--port", "0", "--model", str(small_model)]
    with Running(arguments, cache=small_decoder) as server:
        boss = Client(server.url).sign_in("admin")
        project = boss.data("POST", "/projects", {"name": "cups"})
        boss.call("POST", f"/projects/{project['id']}/images?file_name=a.jpg", photo_path.read_bytes())
        image = server.wait_for_embedding(boss, project["id"])
        with browsing(tmp_path / "profile") as context:
            tool = Tool(context.pages[0], server.url)
            tool.open("/")
            sign_in(tool)
            tool.open(f"/projects/{project['id']}/annotate/{image['id']}")
            tool.wait_for_model()
            tool.press("b")
            browser_faults.paint(tool, 0, 1)
            tool.wait_saved()
            context.clear_cookies()
            # The form to sign in covers the picture as soon as the server has refused this one.
            browser_faults.paint(tool, 1, 1)
            expect(tool.page.locator(".saving")).to_contain_text("Signed out: kept here (1)")
            sign_in(tool)
            tool.expect_masks(2)
            tool.wait_saved()
            assert tool.faults == []
        assert [mask["order"] for mask in masks_of(boss, image["id"])] == [1, 2]


def sign_in(tool: Tool) -> None:
    tool.page.get_by_label("Name", exact=True).fill("admin")
    tool.page.get_by_label("Password").fill(PASSWORD)
    tool.page.get_by_role("button", name="Sign in").click()
    expect(tool.page.get_by_role("button", name="Sign in")).to_have_count(0)


def test_strokes_wait_for_a_disk_that_turned_read_only_under_the_server(
    tmp_path: Path, small_model: Path, small_decoder: Path, photo_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(photo_path, pictures / "a.jpg")
    with failing_disk(tmp_path) as disk:
        work = ["annotate", str(pictures), "--workspace", str(disk.at / "work"), "--model", str(small_model)]
        work += ["--no-browser", "--port"]
        with browsing(tmp_path / "profile") as context:
            with Running([*work, "0"], cache=small_decoder) as server:
                port = server.url.rsplit(":", 1)[1].strip("/")
                me = server.browser()
                (image,) = wait_for_pictures(me, 1)
                tool = Tool(context.pages[0], server.url)
                tool.open(f"/projects/{image['project_id']}/annotate/{image['id']}")
                tool.wait_for_model()
                tool.press("b")
                browser_faults.paint(tool, 0, 2)
                tool.wait_saved()
                disk.fail()
                browser_faults.paint(tool, 2, 3)
                saving = tool.page.locator(".saving")
                expect(saving).to_have_text("The server cannot write to its disk: kept here (3)")
                expect(saving).to_have_attribute("title", re.compile("nothing was saved: .* make it writable"))
                refused = me.call("POST", f"/projects/{image['project_id']}/images?file_name=b.png", draw_picture())
                assert (refused.status, refused.json()["kind"]) == (503, "not_writable")
                # What was acknowledged is there, and can be looked at.
                assert [mask["order"] for mask in masks_of(me, image["id"])] == [1, 2]
                tool.expect_masks(5)
            # Its administrator ends it, mends the disk, and starts it again; the page is still open.
            disk.repair()
            with Running([*work, port], cache=small_decoder) as server:
                tool.wait_saved()
                assert tool.faults == []
                me = server.browser()
                assert [mask["order"] for mask in masks_of(me, image["id"])] == [1, 2, 3, 4, 5]
                added = me.call("POST", f"/projects/{image['project_id']}/images?file_name=b.png", draw_picture())
                assert added.status == 201
                assert len(wait_for_pictures(me, 2)) == 2


def test_a_runtime_that_lacks_something_falls_back_and_says_so(server: Running, tmp_path: Path) -> None:
    image, _ = wait_for_pictures(server.browser())
    browser_faults.decode_where_it_can(server.url, image, tmp_path)


def test_webgpu_answers_with_the_masks_of_the_processor(server: Running, tmp_path: Path) -> None:
    image, _ = wait_for_pictures(server.browser())
    note, (processor, graphics) = browser_faults.decode_on_graphics(server.url, image, tmp_path / "profile")
    assert note == "Decoding in this browser on the graphics card."
    assert graphics == processor


def test_of_a_flood_of_hovers_the_newest_is_answered(server: Running, tmp_path: Path) -> None:
    image, _ = wait_for_pictures(server.browser())
    browser_faults.flood_with_hovers(server.url, image, tmp_path / "profile", decodes=sizes.HOVER_DECODES_CI)


def test_a_thousand_masks_are_shown_undone_and_saved(server: Running, tmp_path: Path) -> None:
    me = server.browser()
    image, _ = wait_for_pictures(me)
    browser_faults.hold_many_masks(server.url, me, image, tmp_path / "profile", masks=sizes.MANY_MASKS, frames=60)

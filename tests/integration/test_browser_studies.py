"""The two studies by people in a real browser: masks rated blind by two, and automatic masks put right by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Error, Response, expect

from anymask.cli.main import main
from anymask.data_engine import people, projects
from anymask.data_engine.store import Database
from anymask.data_engine.tables import RatingItemRow
from anymask.dataset.write import write_dataset
from anymask.evaluation.rating.making import make_study
from anymask.evaluation.rating.study import RatingConfig, Study
from anymask.masks import rle
from tests.cli.servers import PASSWORD, Running
from tests.data_engine.automatic_pictures import automatic
from tests.evaluation.rating.drawn_study import Square, write_set
from tests.integration.chromium import Tool, browsing

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]
COLUMNS = ("alphacolumn", "betacolumn", "ground truth")
HIDDEN = (*COLUMNS, "ground_truth", "bars", "square 10", "square 5")
"""What no rater may be told: columns, the dataset, what the columns were made with."""
RATINGS = 12
"""Two pictures, two masks each, three columns."""


class Traffic:
    """All that the server sends to a page, headers included, and the mask that is shown."""

    def __init__(self, tool: Tool) -> None:
        self.answers: list[Response] = []
        self.texts: list[str] = []
        """Address, headers and body of the first answers, as far as `read` has come."""
        self.shown: int | None = None
        tool.page.on("response", self._keep)

    def _keep(self, response: Response) -> None:
        self.answers.append(response)

    def read(self) -> None:
        """Read what has come, before the page goes: a browser forgets the bodies of a page that is left."""
        while len(self.texts) < len(self.answers):  # more may come while one is read
            answer = self.answers[len(self.texts)]
            text = f"{answer.url} {answer.all_headers()}"
            try:
                text += answer.body().decode("latin-1")
            except Error:  # a redirect, or an answer that came from the browser's own cache, has no body
                assert "/api/" not in answer.url or answer.status != 200 or "image" in answer.headers["content-type"]
            self.texts.append(text)

    def told(self) -> list[str]:
        """Hidden words in any address, header or text."""
        self.read()
        assert sum("/rating" in answer.url for answer in self.answers) > 1
        pairs = zip(self.answers, self.texts, strict=True)
        return [f"{word} in {answer.url}" for answer, text in pairs for word in HIDDEN if word in text.lower()]


def make_workspace(study: Study, workspace: Path) -> None:
    """The study in a team's workspace, where Ann and Bob are members of its project."""
    assert main(["evaluate", "rating", "serve", str(study.folder), "--workspace", str(workspace), "--add-only"]) == 0
    database = Database(f"sqlite:///{workspace / 'anymask.db'}")
    for name in ("Ann", "Bob"):
        person = database.write(
            lambda session, n=name: people.add_person(session, n, "annotator", PASSWORD, database.clock()).id
        )
        database.write(lambda session, each=person: projects.add_member(session, 1, each))
    database.close()


def columns_of(workspace: Path) -> dict[int, str]:
    database = Database(f"sqlite:///{workspace / 'anymask.db'}")
    found = database.read(lambda session: {row.id: row.column_name for row in session.query(RatingItemRow)})
    database.close()
    return found


class Rater:
    """A person at the keyboard, who remembers what they gave."""

    def __init__(self, tool: Tool, name: str) -> None:
        self.tool, self.given = tool, dict[int, int]()
        self.traffic = Traffic(tool)
        tool.open("/")
        tool.page.get_by_label("Name", exact=True).fill(name)
        tool.page.get_by_label("Password").fill(PASSWORD)
        tool.page.get_by_role("button", name="Sign in").click()
        tool.page.get_by_role("link", name="Rate", exact=True).click()
        self.wait(0)

    def wait(self, done: int) -> None:
        expect(self.tool.page.locator("#rate-progress")).to_have_text(f"{done} of {RATINGS} rated")
        expect(self.tool.page.get_by_role("button", name="Rate 5: clear mistakes")).to_be_enabled()
        self.traffic.read()

    def mask_id(self) -> int:
        """The mask that is shown, as the server named it last."""
        answers = [one for one in self.traffic.answers if one.url.endswith(("/rating", "/rating/undo"))]
        mask: dict[str, Any] = answers[-1].json()["mask"]
        return int(mask["id"])

    def rate(self, score: int) -> None:
        mask_id = self.mask_id()
        self.tool.press("0" if score == 10 else str(score))
        self.given[mask_id] = score

    def go(self, scores: list[int]) -> None:
        for score in scores:
            done = len(self.given)
            self.rate(score)
            if done + 1 < RATINGS:
                self.wait(done + 1)


def rate_as_ann(tool: Tool) -> dict[int, int]:
    ann = Rater(tool, "Ann")
    ann.go([3, 10, 1, 7])
    # Ways of looking change the picture and send nothing.
    before, sent = tool.page.screenshot(), len(ann.traffic.answers)
    for key in ("o", "c", "z", "h", "p"):
        tool.press(key)
        tool.page.wait_for_timeout(200)
        after = tool.page.screenshot()
        assert after != before
        before = after
    assert len(ann.traffic.answers) == sent
    # The last one was a slip: it comes again, and only one step goes back.
    mask_id = ann.mask_id()
    tool.press("Backspace")
    ann.wait(3)
    slip = ann.mask_id()
    assert ann.given.pop(slip) == 7
    expect(tool.page.get_by_role("button", name="Undo")).to_be_disabled()
    ann.go([8])
    assert ann.mask_id() == mask_id
    tool.page.reload()
    ann.wait(4)
    assert ann.mask_id() == mask_id  # the same mask, not another
    ann.go([2, 9, 4, 6, 5, 10, 3, 8])
    expect(tool.page.get_by_role("heading", name="All masks are rated")).to_be_visible()
    assert ann.traffic.told() == []
    return ann.given


def test_two_people_rate_a_study_blind_and_the_report_is_what_they_gave(
    small_model: Path, small_decoder: Path, tmp_path: Path, capsys: Capture, repository: Path
) -> None:
    data = write_set(tmp_path / "data", 2)
    squares = [Square("alphacolumn"), Square("betacolumn", 5)]
    study = make_study(RatingConfig(), [data], squares, tmp_path / "study")
    workspace = tmp_path / "team"
    make_workspace(study, workspace)
    axe = (repository / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
    arguments = ["serve", "--workspace", str(workspace), "--port", "0", "--model", str(small_model), "--workers", "0"]
    with Running(arguments, cache=small_decoder) as server:
        with browsing(tmp_path / "ann") as context:
            tool = Tool(context.pages[0], server.url)
            ann = rate_as_ann(tool)
            assert tool.faults == []
        with browsing(tmp_path / "bob") as context:
            tool = Tool(context.pages[0], server.url)
            bob = Rater(tool, "Bob")
            assert tool.serious_faults_for_axe(axe) == []
            bob.go([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2])
            assert bob.traffic.told() == []
            assert tool.faults == []
    assert list(ann) != list(bob.given)
    assert sorted(ann) == sorted(bob.given)
    capsys.readouterr()
    assert main(["evaluate", "rating", "report", str(study.folder), "--workspace", str(workspace), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    of = columns_of(workspace)
    for one in found["means"]:
        mine = [given[item] for item, column in of.items() if column == one["column"] for given in (ann, bob.given)]
        assert one["mean"]["mean"] == pytest.approx(np.mean(mine))
    assert [one["column"] for one in found["means"]] == list(COLUMNS)
    assert {one["rater"]: one["ratings"] for one in found["raters"]} == {"Ann": RATINGS, "Bob": RATINGS}
    assert all(one["median_s"] > 0 for one in found["raters"])


def test_automatic_masks_are_mended_left_and_deleted_and_the_report_tells_each(
    small_model: Path, small_decoder: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_dataset(tmp_path / "automatic", [automatic(1), automatic(2)])
    workspace = tmp_path / "study"
    arguments = ["dataset", "study", "correct", str(tmp_path / "automatic"), "--workspace", str(workspace)]
    arguments += ["--no-browser", "--port", "0", "--model", str(small_model)]
    with Running(arguments, cache=small_decoder) as server:
        me = server.browser()
        with browsing(tmp_path / "profile") as context:
            tool = Tool(context.pages[0], server.url)
            tool.open("/projects/1/annotate")
            tool.expect_masks(4)
            page = tool.page
            expect(page.get_by_text("4 masks are as the model made them")).to_be_visible()
            page.get_by_role("button", name="Mask 2", exact=False).first.click()
            tool.press("b")
            tool.drag((0.4, 0.45), (0.6, 0.45))
            expect(page.get_by_text("3 masks are as the model made them")).to_be_visible()
            page.get_by_role("button", name="Delete Mask 3").click()
            tool.expect_masks(3)
            tool.wait_saved()
            image = me.data("GET", "/projects/1/images")["images"][0]
            masks = me.data("GET", f"/images/{image['id']}/masks?with_deleted=true")["masks"]
            page.get_by_role("button", name="Done, next").click()
            expect(page.locator(".side-title")).to_have_text("sa1b/sa_2.jpg")
            tool.expect_masks(4)
            assert tool.faults == []
    mended = masks[1]
    assert (mended["state"], mended["provenance"]["tool"], mended["stage"]) == ("accepted", "brush", "automatic")
    before = rle.decode(automatic(1).masks.rles[1])
    after = rle.decode(rle.from_json(mended["rle"]))
    capsys.readouterr()
    report = ["dataset", "study", "quality", "--workspace", str(workspace), "--out", str(tmp_path / "report"), "--json"]
    assert main([*report, "--write", str(tmp_path / "corrected")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["work"] == {"finished": 1, "unfinished": 1, "left": 2, "fixed": 1, "deleted": 1, "added": 0}
    iou = (before & after).sum() / (before | after).sum()
    assert 0 < iou < 1
    assert found["every_pair"]["mean IoU"]["mean"] == pytest.approx((2 + iou) / 3)

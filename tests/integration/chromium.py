"""Debian's Chromium driven by Playwright, and the annotation tool in it as a person uses it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Page, expect, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 120_000
"""A step may take this long: the machine may be busy."""
VIEW = {"width": 1280, "height": 800}


@contextmanager
def browsing(profile: Path, *flags: str) -> Iterator[BrowserContext]:
    """A browser, with `flags` too, that keeps what it stores in the folder `profile`; may be killed meanwhile."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the tests in a browser need Debian's chromium: make chromium")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=path, args=[*FLAGS, *flags], viewport=VIEW, accept_downloads=True
        )
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        try:
            yield context
        finally:
            # A browser that a test killed has nothing left to close.
            with suppress(Error):
                context.close()


class Tool:
    """The annotation page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url.rstrip("/")
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self.faults.append(message.text) if self._is_fault(message) else None)
        page.on("request", lambda request: self.faults.append(request.url) if self._is_foreign(request.url) else None)

    @staticmethod
    def _is_fault(message: Any) -> bool:
        # A request that the server refuses or does not answer is told by the browser, too; tests bring that about.
        return message.type == "error" and "Failed to load resource" not in message.text

    def _is_foreign(self, address: str) -> bool:
        return not address.startswith((self.url, "blob:", "data:"))

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def wait_for_model(self) -> None:
        expect(self.page.locator(".status")).to_contain_text("Decoding")

    def means(self) -> str:
        """What the status line says of how masks are computed."""
        return self.page.locator(".means").inner_text()

    def wait_saved(self) -> None:
        expect(self.page.locator(".saving")).to_have_text("Saved")

    def expect_masks(self, count: int) -> None:
        title = f"{count} mask" if count == 1 else f"{count} masks"
        expect(self.page.locator("#masks-title")).to_have_text(title)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where the point of the canvas at these shares of its width and height lies on the screen."""
        box = self.page.locator("canvas.canvas").bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def hover(self, x: float, y: float) -> None:
        self.page.mouse.move(*self.place(x, y))

    def click(self, x: float, y: float, button: Any = "left") -> None:
        self.page.mouse.click(*self.place(x, y), button=button)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=steps)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def pixels(self) -> str:
        """What the canvas shows."""
        return str(self.page.evaluate("() => document.querySelector('canvas.canvas').toDataURL()"))

    def serious_faults_for_axe(self, axe: str) -> list[str]:
        """What axe-core finds that keeps people out, one line each."""
        self.page.evaluate(f"() => {{ {axe} }}")
        found = self.page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{fault['id']}: {node['html'][:120]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]


def project_of(page: Page) -> int:
    """The number of the project in the address."""
    found = re.search(r"/projects/(\d+)", page.url)
    assert found is not None
    return int(found[1])

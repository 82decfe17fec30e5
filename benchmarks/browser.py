"""The annotation tool in Chromium: click to mask, frames with 1,000 masks, and a picture of 6000 x 4000 pixels.

    python -m benchmarks.browser

Needs Chromium (`make chromium`) and the built tool (`make web`). Everything is real: server, browser, model. A click is
timed in the page, from the event to the candidates shown; frames while the view moves and zooms, undo and save with all
those masks on the picture; opening the large one, from the address to the first prompt that can be answered.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.harness import RESULTS, machine
from soak.browser_faults import hold_many_masks
from soak.browser_large import SIZE_HW, work_on_a_large_picture, write_large_picture
from soak.sizes import MANY_MASKS
from tests.cli.servers import Running
from tests.integration.chromium import Tool, browsing

ROOT = Path(__file__).parents[1]
CLICKS = 60
WARM_UP = 10
FRAMES = 240

TIME_CLICKS = """async (count) => {
  const canvas = document.querySelector("canvas.canvas");
  const box = canvas.getBoundingClientRect();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const send = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
    clientX: x, clientY: y, pointerId: 1, button: 0, buttons: type === "pointerdown" ? 1 : 0, bubbles: true }));
  canvas.setPointerCapture = () => undefined;
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const x = box.left + box.width * (0.35 + 0.3 * ((i * 7) % 10) / 10);
    const y = box.top + box.height * (0.3 + 0.4 * ((i * 3) % 10) / 10);
    const start = performance.now();
    send("pointerdown", x, y);
    send("pointerup", x, y);
    while (document.querySelector(".candidate") === null) await frame();
    times.push(performance.now() - start);
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    while (document.querySelector(".candidate") !== null) await frame();
  }
  return times;
}"""


def main() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = folder / "pictures"
        pictures.mkdir()
        shutil.copy(ROOT / "demo" / "astronaut.jpg", pictures)
        cache = Path(os.environ.get("ANYMASK_CACHE", folder / "cache"))
        with Running(["annotate", str(pictures), "--no-browser", "--port", "0"], cache=cache, start_s=600) as server:
            result = measure(server, folder / "profile")
        large = folder / "large"
        large.mkdir()
        write_large_picture(ROOT / "demo" / "astronaut.jpg", large / "large.jpg")
        with Running(["annotate", str(large), "--no-browser", "--port", "0"], cache=cache, start_s=600) as server:
            result["large"] = measure_large(server, large / "large.jpg", folder / "large_work")
    target = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    target.mkdir(parents=True, exist_ok=True)
    (target / "browser.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return result


def measure(server: Running, profile: Path) -> dict[str, Any]:
    me = server.browser()
    (project,) = me.data("GET", "/projects")
    image = server.wait_for_embedding(me, project["id"], wait_s=600)
    address = f"/projects/{project['id']}/annotate/{image['id']}"
    with browsing(profile) as context:
        tool = Tool(context.pages[0], server.url)
        tool.open(address)
        tool.wait_for_model()
        note = tool.means()
        clicks = tool.page.evaluate(TIME_CLICKS, CLICKS + WARM_UP)[WARM_UP:]
        version = context.browser.version if context.browser else "Chromium"
    result: dict[str, Any] = {"name": "browser", "machine": machine(), "browser": version, "decoding": note}
    held = hold_many_masks(server.url, me, image, profile.parent / "masks", masks=MANY_MASKS, frames=FRAMES)
    result |= {
        "load_average": round(os.getloadavg()[0], 1),
        "clicks": len(clicks),
        **{f"click_to_mask_p{share}_ms": round(float(np.percentile(clicks, share)), 1) for share in (50, 95)},
        "masks": MANY_MASKS,
        "frames": FRAMES,
        **held,
    }
    return result


def measure_large(server: Running, picture: Path, folder: Path) -> dict[str, Any]:
    """The same clicks and frames on a picture of 24 megapixels; its export is checked on the way."""
    me = server.browser()
    (project,) = me.data("GET", "/projects")
    image = server.wait_for_embedding(me, project["id"], wait_s=600)
    with browsing(folder / "clicks") as context:
        tool = Tool(context.pages[0], server.url)
        tool.open(f"/projects/{project['id']}/annotate/{image['id']}")
        tool.wait_for_model()
        clicks = tool.page.evaluate(TIME_CLICKS, CLICKS + WARM_UP)[WARM_UP:]
    times = work_on_a_large_picture(server.url, me, image, picture, folder, frames=FRAMES)
    shares = {f"click_to_mask_p{share}_ms": round(float(np.percentile(clicks, share)), 1) for share in (50, 95)}
    return {"size_hw": SIZE_HW, "load_average": round(os.getloadavg()[0], 1), **shares, **times}


if __name__ == "__main__":
    main()

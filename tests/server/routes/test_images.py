import gzip
import json
import struct

import pytest

from anymask.images.load import load_image
from tests.data_engine.world import draw_picture
from tests.server.browser import Site


def test_a_picture_is_added_once_and_shown_upright_without_metadata(site: Site) -> None:
    project, ada = site.add_project(), site.browser("Ada")
    image = site.add_picture(project)
    assert site.add_picture(project)["id"] == image["id"]
    shown = ada.get(image["pixels_url"])
    assert load_image(shown.content).sha256 == image["sha256"] == load_image(draw_picture()).sha256
    assert ada.get(image["thumbnail_url"]).headers["content-type"] == "image/webp"
    page = ada.data("GET", f"/projects/{project}/images?limit=1&state=waiting")
    assert (page["total"], page["images"]) == (1, [image])


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "%2e%2e%2fa.png", "", "a%5Cb.png"])
def test_names_that_climb_are_refused(site: Site, name: str) -> None:
    project = site.add_project()
    answer = site.browser("Ada").post(f"/projects/{project}/images?file_name={name}", content=draw_picture())
    assert answer.status_code == 422


def test_what_is_no_picture_is_refused_by_content_and_a_script_in_a_name_is_inert(site: Site) -> None:
    project, ada = site.add_project(), site.browser("Ada")
    for content in (b"", b"<html>", draw_picture()[:100], b"\x89PNG\r\n\x1a\n"):
        answer = ada.post(f"/projects/{project}/images?file_name=a.png", content=content)
        assert (answer.status_code, answer.json()["kind"]) == (422, "image")
    name = "<img src=x onerror=alert(1)>.png"
    made = ada.data("POST", f"/projects/{project}/images", params={"file_name": name}, content=draw_picture(3))
    assert made["file_name"] == name
    answer = ada.get(f"/images/{made['id']}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_embedding_is_a_safetensors_file_that_says_what_it_is_of(site: Site) -> None:
    image = site.add_picture(site.add_project())
    ann = site.browser("Ann")
    waiting = ann.get(f"{image['embedding_url']}&wait_s=0.3")
    assert (waiting.status_code, waiting.json()["kind"], waiting.headers["retry-after"]) == (503, "not_ready", "2")
    site.work()
    answer = ann.get(image["embedding_url"])
    assert answer.headers["cache-control"].endswith("immutable")
    (length,) = struct.unpack("<Q", answer.content[:8])
    header = json.loads(answer.content[8 : 8 + length])
    notes = header.pop("__metadata__")
    assert notes["image_sha256"] == image["sha256"]
    assert notes["model_sha256"] == site.services.model.sha256
    facts = {each["tensor"]: each["shape"] for each in site.services.model.facts["maps"]}
    assert {name: each["shape"] for name, each in header.items()} == facts
    assert {each["dtype"] for each in header.values()} == {"F16"}
    assert len(gzip.compress(answer.content, 1)) < len(answer.content)
    other = ann.get(f"/images/{image['id']}/embedding?model={'0' * 64}")
    assert (other.status_code, other.json()["kind"]) == (409, "wrong_model")

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.data_engine.world import draw_picture, rectangle
from tests.server.browser import Site, action


def test_a_folder_is_imported_and_the_export_comes_as_one_file_that_can_be_resumed(site: Site, tmp_path: Path) -> None:
    project, ada = site.add_project(), site.browser("Ada")
    root = tmp_path / "import"
    root.mkdir()
    (root / "a.png").write_bytes(draw_picture())
    (root / "bad.png").write_bytes(b"nothing")
    job = ada.data("POST", f"/projects/{project}/imports", json={"format": "folder", "path": str(root)})
    assert (job["state"], job["kind"]) == ("waiting", "import")
    site.work()
    done = ada.data("GET", f"/jobs/{job['id']}")
    assert (done["state"], done["done"], done["total"]) == ("done", 2, 2)
    assert done["problems"][0].startswith("bad.png: ")
    image = ada.data("GET", f"/projects/{project}/images")["images"][0]
    ada.data("POST", f"/images/{image['id']}/actions", json={"actions": [action()]})
    job = ada.data("POST", f"/projects/{project}/exports", json={"format": "coco", "only_finished": False})
    assert ada.get(f"/jobs/{job['id']}/file").status_code == 404
    site.work()
    url = ada.data("GET", f"/jobs/{job['id']}")["download_url"]
    whole = ada.get(url)
    assert "attachment" in whole.headers["content-disposition"]
    rest = ada.get(url, headers={"Range": "bytes=1000-"})
    assert whole.content[1000:] == rest.content
    with tarfile.open(fileobj=io.BytesIO(whole.content)) as tar:
        assert tar.getnames() == ["images/a.png", "annotations.json"]
    assert [each["kind"] for each in ada.data("GET", f"/projects/{project}/jobs")] == ["export", "import"]


def test_masks_are_uploaded_for_pictures_that_are_there(site: Site) -> None:
    project, ada = site.add_project(), site.browser("Ada")
    image = site.add_picture(project, "sa_1.jpg")
    record = {
        "image": {"image_id": 1, "width": 60, "height": 40, "file_name": "sa_1.jpg"},
        "annotations": [{"segmentation": rectangle(0, 0, 5, 5)}],
    }
    path = f"/projects/{project}/annotations?format=sa1b&file_name=sa_1.json"
    ada.data("POST", path, content=json.dumps(record).encode())
    site.work()
    masks = ada.data("GET", f"/images/{image['id']}/masks")["masks"]
    assert [(mask["origin"], mask["area_px"], mask["author_id"]) for mask in masks] == [("import", 25, None)]
    assert ada.post(path.replace("sa1b", "folder"), content=b"x").status_code == 422


@pytest.mark.parametrize("path", ["http://127.0.0.1/", "http://169.254.169.254/x", "file:///etc/passwd", "/etc", "."])
def test_nothing_is_fetched_from_addresses_or_outside_the_roots(site: Site, path: str) -> None:
    project = site.add_project()
    answer = site.browser("Ada").post(f"/projects/{project}/imports", {"format": "folder", "path": path})
    assert answer.status_code == 422
    assert answer.json()["kind"] in ("input", "path")


def test_a_job_is_cancelled_and_tried_again(site: Site) -> None:
    project, rob = site.add_project(), site.browser("Rob")
    job = rob.data("POST", f"/projects/{project}/exports", json={"format": "sa1b"})
    assert rob.data("POST", f"/jobs/{job['id']}/cancel", json={})["state"] == "cancelled"
    assert rob.post(f"/jobs/{job['id']}/cancel").status_code == 409
    assert rob.data("POST", f"/jobs/{job['id']}/retry", json={})["state"] == "waiting"

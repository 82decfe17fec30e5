from pathlib import Path

import pytest

from anymask.data_engine import deployment
from anymask.errors import NotThereError, StoreError
from anymask.model.weights import load, model_hash
from anymask.server import models
from anymask.server.models import ServedModels
from tests.cli.small_model import write_small_model
from tests.server.browser import Site


@pytest.fixture
def other(site: Site, tmp_path: Path) -> str:
    """The hash of another model that the store has whole."""
    model = load(write_small_model(tmp_path / "other.safetensors", is_sure=False))
    (tmp_path / f"decoder-{model_hash(model)}.onnx").write_bytes(b"the other decoder")
    deployment.keep_model(site.services.database, site.services.blobs, model, "other", tmp_path, with_weights=True)
    return model_hash(model)


def test_a_promotion_is_seen_without_a_restart(site: Site, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_LOOK_S", -1.0)
    ann, project = site.browser("Ann"), site.add_project()
    first = site.services.model.sha256
    images = [site.add_picture(project, f"{seed}.png", seed) for seed in range(2)]
    site.work()
    task = ann.data("POST", f"/projects/{project}/queue/next", json={})
    assert task["image"]["model_sha256"] == first
    deployment.promote(site.services.database, other, key="1", note="")
    assert ann.data("GET", "/info")["model"]["sha256"] == other
    # The open picture keeps its model: embedding, decoder and answers.
    opened = task["image"]["id"]
    assert ann.call("GET", task["image"]["embedding_url"]).status_code == 200
    assert ann.call("GET", f"/models/{first}/decoder.onnx").content == b"the decoder"
    ask = {"prompt": {"points": [{"x": 20, "y": 20}]}}
    assert ann.data("POST", f"/images/{opened}/decode", json=ask | {"model": first})["model_sha256"] == first
    assert ann.call("POST", f"/images/{opened}/decode", json=ask).status_code == 503
    # Nothing is embedded by it yet, so the next picture is still the old one's; then it is the new one's.
    assert ann.data("GET", f"/images/{images[1]['id']}")["model_sha256"] == first
    site.work()
    shown = ann.data("GET", f"/images/{images[1]['id']}")
    assert (shown["model_sha256"], shown["embedding"]) == (other, "ready")
    assert ann.data("GET", f"/models/{other}")["decoder_bytes"] == len(b"the other decoder")
    assert ann.data("POST", f"/images/{opened}/decode", json=ask)["model_sha256"] == other


def test_an_embedding_that_the_older_model_did_not_make_is_refused(
    site: Site, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_LOOK_S", -1.0)
    image = site.add_picture(site.add_project())
    deployment.promote(site.services.database, other, key="1", note="")
    answer = site.browser("Ann").call("GET", image["embedding_url"])
    assert (answer.status_code, "get the picture again" in answer.json()["message"]) == (409, True)


def test_models_that_are_not_there_are_named(site: Site) -> None:
    served = ServedModels(site.services.database, site.services.blobs)
    with pytest.raises(NotThereError, match="no model 000000000000"):
        served.get("0" * 64)
    site.services.database.write(lambda session: session.execute(deployment.delete(deployment.DeploymentRow)))
    with pytest.raises(StoreError, match="no model was deployed"):
        ServedModels(site.services.database, site.services.blobs).current()

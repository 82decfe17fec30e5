import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import onnxruntime
import pytest
from sqlalchemy.orm import Session

from anymask.data_engine import deployment, jobs, pictures
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.deployment import deploy
from anymask.data_engine.store import Database
from anymask.data_engine.tables import DeploymentRow, EmbeddingRow, ModelRow
from anymask.errors import NotThereError, TakenError
from anymask.model.weights import load, model_hash
from tests.data_engine.world import MODEL, World


def test_a_decoder_that_this_machine_has_is_taken_and_missing_embeddings_are_asked_for(
    world: World, small_model: Path, tmp_path: Path
) -> None:
    model = load(small_model)
    sha256 = model_hash(model)
    (tmp_path / f"decoder-{sha256}.onnx").write_bytes(b"made before")
    world.add_pictures(2)
    deployed = deploy(world.database, world.blobs, model, "small", tmp_path)
    assert (deployed.sha256, deployed.name, deployed.decoder_bytes) == (sha256, "small", 11)
    assert world.blobs.read(deployed.decoder_key) == b"made before"
    assert deployed.facts["input_size"] == model.input_size
    assert [each["tensor"] for each in deployed.facts["maps"]] == ["main", "finer.0", "finer.1"]
    (tmp_path / f"decoder-{sha256}.onnx").unlink()
    assert deploy(world.database, world.blobs, model, "small", tmp_path) == deployed


@pytest.mark.slow
def test_the_decoder_that_is_written_runs_with_the_inputs_that_are_named(
    blobs: Blobs, small_model: Path, small_decoder: Path, migrated_sqlite: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "test.db")
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    deployed = deploy(database, blobs, load(small_model), "small", small_decoder / "decoders")
    session = onnxruntime.InferenceSession(blobs.read(deployed.decoder_key))
    shapes = {each.name: each.shape for each in session.get_inputs()}
    for each in deployed.facts["maps"]:
        assert shapes[each["input"]] == each["shape"]
    database.close()


def know(world: World, *sha256s: str) -> None:
    """Models that the store has, by name alone."""
    for sha256 in sha256s:
        row = ModelRow(sha256=sha256, name=sha256[:1], facts={}, decoder_key=world.blobs.put(b"d"), weights_key="w")
        world.database.write(lambda session, row=row: session.merge(row))


def now(world: World) -> str:
    row = world.database.read(deployment.current)
    assert row is not None
    return row.model_sha256


def test_promotion_makes_a_model_current_once_and_asks_for_its_embeddings(world: World) -> None:
    know(world, MODEL, "b" * 64)
    image = world.add_picture()
    deployment.promote(world.database, MODEL, key="engine:1", note="")
    first = deployment.promote(world.database, "b" * 64, key="engine:2", note="better by .05")
    assert deployment.promote(world.database, "b" * 64, key="engine:2", note="again") == first
    assert now(world) == "b" * 64
    held = world.database.write(lambda session: jobs.take_job(session, ["embed"], world.clock()))
    assert held is not None
    # What nobody had begun to embed by the model before is not embedded any more.
    assert (held.payload["model_sha256"], held.payload["image_sha256"]) == ("b" * 64, image.sha256)
    assert world.database.write(lambda session: jobs.take_job(session, ["embed"], world.clock())) is None


def test_rolling_back_leads_to_the_model_before_and_to_a_named_one(world: World) -> None:
    know(world, MODEL, "b" * 64, "c" * 64)
    for place, sha256 in enumerate((MODEL, "b" * 64, "c" * 64)):
        deployment.promote(world.database, sha256, key=str(place), note="")
    assert deployment.roll_back(world.database) == ("c" * 64, "b" * 64)
    assert now(world) == "b" * 64
    assert deployment.roll_back(world.database, "aaaa") == ("b" * 64, MODEL)
    with pytest.raises(NotThereError, match="no deployed model begins with 'ffff'"):
        deployment.roll_back(world.database, "ffff")
    kinds = [row.kind for row in world.database.read(deployment.list_deployments)]
    assert kinds == ["promote"] * 3 + ["rollback"] * 2


def test_there_is_nothing_to_go_back_to_at_first(world: World) -> None:
    with pytest.raises(NotThereError, match="no server was started"):
        deployment.roll_back(world.database)
    know(world, MODEL)
    deployment.promote(world.database, MODEL, key="1", note="")
    with pytest.raises(NotThereError, match="no other model was before it"):
        deployment.roll_back(world.database)


def test_of_two_who_change_the_model_at_once_the_second_sees_what_the_first_did(world: World) -> None:
    know(world, MODEL, "b" * 64, "c" * 64)
    deployment.promote(world.database, MODEL, key="1", note="")
    entered, go_on = threading.Event(), threading.Event()

    def first(session: Session) -> str:
        row = deployment.current_to_change(session)
        assert row is not None
        entered.set()
        assert go_on.wait(30)
        return deployment.make_current(session, world.database, "b" * 64, deployment.ROLLBACK, note="").model_sha256

    with ThreadPoolExecutor(2) as pool:
        person = pool.submit(world.database.write, first)
        assert entered.wait(30)
        # A turn whose candidate was found better than the model that is current now.
        turn = pool.submit(deployment.promote, world.database, "c" * 64, key="2", note="", instead_of=MODEL)
        assert wait([turn], timeout=1).not_done
        go_on.set()
        assert person.result(30) == "b" * 64
        with pytest.raises(TakenError, match="not current any more"):
            turn.result(30)
    assert now(world) == "b" * 64


def test_a_server_that_starts_keeps_what_was_promoted(world: World, small_model: Path, tmp_path: Path) -> None:
    model = load(small_model)
    (tmp_path / f"decoder-{model_hash(model)}.onnx").write_bytes(b"made before")
    started = deploy(world.database, world.blobs, model, "small", tmp_path)
    assert now(world) == started.sha256
    know(world, "b" * 64)
    deployment.promote(world.database, "b" * 64, key="1", note="")
    assert deploy(world.database, world.blobs, model, "small", tmp_path).sha256 == "b" * 64
    assert now(world) == "b" * 64


def test_a_picture_shows_the_older_embedding_until_the_new_one_is_there(world: World) -> None:
    know(world, MODEL, "b" * 64)
    image = world.add_picture()

    def embedded_by(sha256: str) -> None:
        row = EmbeddingRow(image_sha256=image.sha256, model_sha256=sha256, key="k", created_at=world.clock())
        world.database.write(lambda session: session.merge(row))

    def seen() -> tuple[str, str | None]:
        (view,) = world.database.read(lambda session: pictures.view(session, [image.id], now(world)))
        return view.embedding, view.model_sha256

    deployment.promote(world.database, MODEL, key="1", note="")
    assert seen() == ("waiting", MODEL)
    embedded_by(MODEL)
    assert seen() == ("ready", MODEL)
    deployment.promote(world.database, "b" * 64, key="2", note="")
    assert seen() == ("ready", MODEL)
    embedded_by("b" * 64)
    assert seen() == ("ready", "b" * 64)


def test_weights_are_kept_when_asked_for(world: World, small_model: Path, tmp_path: Path) -> None:
    model = load(small_model)
    (tmp_path / f"decoder-{model_hash(model)}.onnx").write_bytes(b"made before")
    for with_weights in (False, True, False):
        kept = deployment.keep_model(world.database, world.blobs, model, "small", tmp_path, with_weights=with_weights)
    row = world.database.read(lambda session: session.get_one(ModelRow, kept.sha256))
    assert row.weights_key is not None
    (tmp_path / "again.safetensors").write_bytes(world.blobs.read(row.weights_key))
    assert model_hash(load(tmp_path / "again.safetensors")) == kept.sha256
    assert world.database.read(lambda session: session.query(DeploymentRow).count()) == 0

"""Exported files, run in onnxruntime on prompts of their own, beside what the export checked itself."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as runtime
import pytest
import torch

from anymask.errors import ConfigError, ExportError, MissingDependencyError
from anymask.images.frames import Frame
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, SamConfig, tiny_config
from anymask.model.weights import model_hash
from anymask.predict import export
from anymask.predict.agreement import embedding_like
from anymask.predict.export import ExportConfig, ExportReport, export_onnx
from anymask.prompts.types import PromptBatch

Arrays = dict[str, npt.NDArray[Any]]


def tiny() -> Sam:
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128, quality_hidden=0)).eval()


def short_vit() -> Sam:
    """The released decoder behind a ViT of two blocks, one with windows that do not fill the grid."""
    torch.manual_seed(0)
    encoder = VitConfig(dim=64, depth=2, heads=2, global_blocks=(1,), native_size=320)
    return Sam(SamConfig(image_encoder=encoder, input_size=320)).eval()


def tiny_with_quality() -> Sam:
    """`tiny` whose predicted IoU is corrected by the look of the mask, by weights that do so."""
    torch.manual_seed(0)
    model = Sam(tiny_config(dim=32, input_size=128, quality_hidden=8)).eval()
    for parameter in model.mask_decoder.quality.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


MODELS = {"tiny": tiny, "tiny_with_quality": tiny_with_quality, "short_vit": short_vit}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sam, ExportReport]:
    """The browser's decoder of the small tiny model; one export serves many tests."""
    model = tiny()
    return model, export_onnx(model, tmp_path_factory.mktemp("export") / "decoder.onnx")


def run(report: ExportReport, feeds: Arrays) -> Arrays:
    session = runtime.InferenceSession(str(report.path), providers=["CPUExecutionProvider"])
    return dict(zip(report.outputs, session.run(list(report.outputs), feeds), strict=True))


def feeds_for(model: Sam, points: npt.ArrayLike, labels: npt.ArrayLike, *, original: tuple[int, int]) -> Arrays:
    """Inputs of the browser's decoder for a random picture, without a mask."""
    embedding = embedding_like(model)
    xy = np.asarray(points, np.float32)
    count, size = len(xy), model.mask_size
    return {
        "image_embeddings": embedding.main.numpy(),
        **{f"finer_{index}": tensor.numpy() for index, tensor in enumerate(embedding.finer)},
        "point_coords": xy,
        "point_labels": np.asarray(labels, np.float32),
        "mask_input": np.zeros((count, 1, size, size), np.float32),
        "has_mask_input": np.zeros(count, np.float32),
        "orig_im_size": np.array(original, np.float32),
    }


def test_report_says_what_was_written_and_how_far_it_is_from_pytorch(exported: tuple[Sam, ExportReport]) -> None:
    report = exported[1]
    assert report.files == (report.path,)
    assert report.size_bytes == report.path.stat().st_size
    assert report.sha256 == hashlib.sha256(report.path.read_bytes()).hexdigest()
    assert set(report.differences) == {"low_res_masks", "iou_predictions", "best_index"}
    assert report.max_difference == max(report.differences.values()) < 1e-3
    assert [path.name for path in report.path.parent.iterdir()] == ["decoder.onnx"]


def test_file_says_which_model_it_came_from(exported: tuple[Sam, ExportReport]) -> None:
    model, report = exported
    found = onnx.load(report.path)
    onnx.checker.check_model(found)
    notes = {entry.key: entry.value for entry in found.metadata_props}
    assert notes["model_sha256"] == model_hash(model)
    assert json.loads(notes["config"])["input_size"] == 128
    assert (notes["part"], notes["weights"], notes["mask_size"]) == ("browser", "float32", "32")
    assert found.producer_name == "anymask"


def test_file_names_no_folder_of_the_machine_that_made_it(exported: tuple[Sam, ExportReport]) -> None:
    data = exported[1].path.read_bytes()
    for place in (Path(export.__file__).parent, Path(torch.__file__).parent, Path.home()):
        assert str(place).encode() not in data
    assert b"site-packages" not in data


def test_graph_has_no_control_flow(exported: tuple[Sam, ExportReport]) -> None:
    found = onnx.load(exported[1].path)
    assert {node.op_type for node in found.graph.node} & {"If", "Loop", "Scan"} == set()
    assert [entry.version for entry in found.opset_import if entry.domain == ""] == [export.OPSET]


@pytest.mark.parametrize("count", [1, 2, 7, 64])
@pytest.mark.parametrize("labels", [[1, -1], [0, 1, 1, -1], [2, 3], [1, 2, 3], [1] * 30 + [-1]], ids=len)
def test_any_number_of_prompts_and_points_agrees_with_the_model(
    exported: tuple[Sam, ExportReport], count: int, labels: list[int]
) -> None:
    model, report = exported
    points = np.random.default_rng(count).random((count, len(labels), 2)).astype(np.float32) * 128
    kinds = np.tile(labels, (count, 1))
    answers = run(report, feeds_for(model, points, kinds, original=(128, 128)))
    with torch.no_grad():
        batch = PromptBatch(torch.from_numpy(points), torch.from_numpy(kinds))
        expected = model.decode(model.prepare(embedding_like(model)), batch, multimask=True)
    np.testing.assert_allclose(answers["low_res_masks"][:, 1:], expected.logits.numpy(), atol=1e-3)
    np.testing.assert_allclose(answers["iou_predictions"][:, 1:], expected.iou.numpy(), atol=1e-3)
    is_click = labels == [1, -1]
    best = 1 + expected.iou.argmax(dim=1).numpy() if is_click else np.zeros(count, int)
    np.testing.assert_array_equal(answers["best_index"], best)


def test_box_encloses_the_best_mask_in_original_pixels(exported: tuple[Sam, ExportReport]) -> None:
    model, report = exported
    frame = Frame.fit((200, 400), 128)
    answers = run(report, feeds_for(model, [[[50, 30], [0, 0]]], [[1, -1]], original=(200, 400)))
    best = torch.from_numpy(answers["low_res_masks"][:, answers["best_index"]])
    rows, columns = np.nonzero(frame.to_original_logits(best)[0, 0].numpy() > 0)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(answers["best_box"][0], expected, atol=2 * 400 / 128)


def test_logits_of_one_answer_refine_the_next(exported: tuple[Sam, ExportReport]) -> None:
    model, report = exported
    feeds = feeds_for(model, [[[50, 30], [0, 0]]], [[1, -1]], original=(128, 128))
    first = run(report, feeds)
    mask = first["low_res_masks"][:, :1]
    ignored = run(report, {**feeds, "mask_input": mask})
    used = run(report, {**feeds, "mask_input": mask, "has_mask_input": np.ones(1, np.float32)})
    np.testing.assert_array_equal(ignored["low_res_masks"], first["low_res_masks"])
    assert np.abs(used["low_res_masks"] - first["low_res_masks"]).max() > 1e-3
    assert used["best_index"].tolist() == [0]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("part", ["encoder", "decoder", "browser", "whole"])
def test_every_part_of_every_model_agrees_with_pytorch(name: str, part: export.Part, tmp_path: Path) -> None:
    report = export_onnx(MODELS[name](), tmp_path / "part.onnx", ExportConfig(part=part))
    assert report.max_difference < 1e-3
    assert ("best_box" in report.outputs) == (part in ("browser", "whole"))


@pytest.mark.slow
def test_released_decoder_in_full_size_agrees_with_pytorch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    report = export_onnx(Sam.from_name("vit_b"), tmp_path / "decoder.onnx", ExportConfig(part="decoder"))
    assert report.max_difference < 1e-3
    assert report.inputs == ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input")


@pytest.mark.slow
def test_half_file_is_half_as_long_and_returns_the_best_mask_only(tmp_path: Path) -> None:
    model = short_vit()
    config = ExportConfig(part="browser", half=True, only_best=True)
    report = export_onnx(model, tmp_path / "half.onnx", config)
    parameters = sum(p.numel() for part in (model.mask_decoder, model.prompt_encoder) for p in part.parameters())
    assert report.size_bytes < 1.2 * 2 * parameters
    answers = run(report, feeds_for(model, [[[50, 30], [0, 0]]] * 3, [[1, -1]] * 3, original=(320, 320)))
    assert answers["low_res_masks"].shape == (3, 1, 80, 80)
    assert answers["iou_predictions"].shape == (3, 1)
    assert set(answers["best_index"].tolist()) <= {1, 2, 3}


@pytest.mark.slow
def test_model_too_large_for_one_file_goes_into_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_ONE_FILE_BYTES", 1000)
    report = export_onnx(tiny(), tmp_path / "a.onnx", ExportConfig(part="encoder"))
    assert [path.name for path in report.files] == ["a.onnx", "a.onnx.data"]
    assert report.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    picture = np.zeros((128, 64, 3), np.uint8)
    assert run(report, {"pixels": picture})["image_embeddings"].shape == (1, 32, 8, 8)


def test_weights_too_large_for_half_are_refused_by_name(tmp_path: Path) -> None:
    model = tiny()
    with torch.no_grad():
        model.mask_decoder.iou_token.weight[0, 0] = 1e6
    with pytest.raises(ExportError, match=r"iou_token\.weight has values too large"):
        export_onnx(model, tmp_path / "a.onnx", ExportConfig(half=True))
    assert list(tmp_path.iterdir()) == []


def test_disagreement_leaves_the_old_file_as_it_was(
    exported: tuple[Sam, ExportReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, report = exported
    wrong = onnx.load(report.path)
    weights = next(tensor for tensor in wrong.graph.initializer if len(tensor.raw_data) > 10_000)
    weights.raw_data = b"\0" * len(weights.raw_data)
    monkeypatch.setattr(export, "_trace", lambda _: wrong)  # a tracer with a fault
    path = tmp_path / "decoder.onnx"
    path.write_bytes(b"the old one")
    with pytest.raises(ExportError, match="differs from PyTorch"):
        export_onnx(model, path)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_is_not_there_is_a_clear_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no folder"):
        export_onnx(tiny(), tmp_path / "none" / "a.onnx")


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"part": "head"}, "part must be one of"), ({"part": "encoder", "only_best": True}, "only_best has no meaning")],
)
def test_configuration_that_means_nothing_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExportConfig(**fields)


def test_missing_exporter_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"export needs onnxscript; .*anymask\[onnx\]"):
        export_onnx(tiny(), tmp_path / "a.onnx")


def test_export_is_imported_without_the_extra() -> None:
    code = "import sys; sys.modules.update(onnx=None, onnxruntime=None, onnxscript=None); import anymask.predict.export"
    subprocess.run([sys.executable, "-c", code], check=True)

"""The check itself, on hand-made graphs that are wrong in known ways."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from anymask.errors import ExportError, MissingDependencyError
from anymask.model.sam import Sam, tiny_config
from anymask.predict.agreement import TRIALS, check_agreement, embedding_like, required

SIZE = 64


@pytest.fixture(scope="module")
def model() -> Sam:
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=SIZE)).eval()


def graph(path: Path, outputs: dict[str, npt.NDArray[np.float32]], *, extra: list[object] | None = None) -> Path:
    """An encoder that answers the constant `outputs` to every picture."""
    helper = onnx.helper
    pixels = helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, ["h", "w", 3])
    nodes = [helper.make_node("Constant", [], [k], value=onnx.numpy_helper.from_array(v)) for k, v in outputs.items()]
    told = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    body = helper.make_graph([*nodes, *(extra or [])], "constant", [pixels], told)
    onnx.save_model(helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def maps(model: Sam, value: float) -> dict[str, npt.NDArray[np.float32]]:
    embedding = embedding_like(model)
    named = {"image_embeddings": embedding.main, "finer_0": embedding.finer[0], "finer_1": embedding.finer[1]}
    return {name: np.full(tensor.shape, value, np.float32) for name, tensor in named.items()}


def test_trials_cover_one_to_64_prompts_of_every_kind() -> None:
    assert {1, 3, 16, 64} <= {trial.prompts for trial in TRIALS}
    assert {label for trial in TRIALS for label in trial.labels} == {-1, 0, 1, 2, 3}
    assert {trial.has_mask for trial in TRIALS} == {True, False}


def test_constant_answer_is_found_out(model: Sam, tmp_path: Path) -> None:
    path = graph(tmp_path / "a.onnx", maps(model, 0.0))
    with pytest.raises(ExportError, match=r"differs from PyTorch: .*image_embeddings by \d"):
        check_agreement(path, model)


def test_answer_that_is_right_agrees_and_a_little_more_does_not(model: Sam, tmp_path: Path) -> None:
    zeroed = Sam(model.config).eval()
    with torch.no_grad():
        for parameter in zeroed.parameters():
            parameter.zero_()
    assert max(check_agreement(graph(tmp_path / "a.onnx", maps(model, 0.0)), zeroed).values()) == 0
    assert max(check_agreement(graph(tmp_path / "b.onnx", maps(model, 0.9e-3)), zeroed).values()) > 0
    with pytest.raises(ExportError, match="at most"):
        check_agreement(graph(tmp_path / "c.onnx", maps(model, 1.1e-3)), zeroed)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_answer_that_is_not_finite_is_found_out(model: Sam, tmp_path: Path, value: float) -> None:
    with pytest.raises(ExportError, match="by inf"):
        check_agreement(graph(tmp_path / "a.onnx", maps(model, value)), model)


def test_answer_of_another_shape_is_found_out(model: Sam, tmp_path: Path) -> None:
    wrong = {name: array[:, :, :1] for name, array in maps(model, 0.0).items()}
    with pytest.raises(ExportError, match="by inf"):
        check_agreement(graph(tmp_path / "a.onnx", wrong), model)


@pytest.mark.parametrize("content", [b"", b"not a graph"])
def test_file_that_is_no_graph_is_a_clear_error(model: Sam, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ExportError, match="cannot load"):
        check_agreement(tmp_path / "a.onnx", model)


def test_graph_that_fails_when_run_is_a_clear_error(model: Sam, tmp_path: Path) -> None:
    shape = onnx.helper.make_node("Constant", [], ["seven"], value_ints=[7])
    reshape = onnx.helper.make_node("Reshape", ["pixels", "seven"], ["image_embeddings"])
    outputs = {name: array for name, array in maps(model, 0.0).items() if name != "image_embeddings"}
    path = graph(tmp_path / "a.onnx", outputs, extra=[shape, reshape])
    loaded = onnx.load(path)
    loaded.graph.output.append(onnx.helper.make_tensor_value_info("image_embeddings", onnx.TensorProto.UINT8, None))
    onnx.save(loaded, path)
    with pytest.raises(ExportError, match="cannot run"):
        check_agreement(path, model)


def test_missing_package_names_the_extra(model: Sam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'anymask\[onnx\]'"):
        check_agreement(tmp_path / "a.onnx", model)


def test_package_that_is_there_is_returned() -> None:
    assert required("numpy") is np

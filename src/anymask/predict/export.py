"""The model as ONNX files, each checked against PyTorch before it gets its name.

Inputs and outputs carry the names of the public ONNX model where they mean the same. Prompts are given in input pixels;
`point_labels` are 1 foreground, 0 background, 2 and 3 the corners of a box, -1 padding, one of which follows the points
of a prompt without a box.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from anymask.errors import ConfigError, ExportError
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from anymask.predict.agreement import check_agreement, embedding_like, required
from anymask.predict.graphs import BrowserGraph, DecoderGraph, EncoderGraph, WholeGraph
from anymask.runs import to_plain

Part = Literal["encoder", "decoder", "browser", "whole"]
PARTS: tuple[Part, ...] = ("encoder", "decoder", "browser", "whole")
"""Picture -> embedding; prompts -> all masks; the same with the best mask and its box; both together."""

OPSET = 18
_ONE_FILE_BYTES = 1_800_000_000
"""Above this the tensors go to a second file: protobuf ends at 2 GiB."""
_SMALLEST_HALF = 64
"""Tensors of fewer values stay float32: nothing is gained."""
_PROMPTS = ("point_coords", "point_labels", "mask_input", "has_mask_input")
_ANSWERS = ("low_res_masks", "iou_predictions")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportConfig:
    """What is written."""

    part: Part = "browser"
    """Which graph."""
    only_best: bool = False
    """Return the best mask only instead of all ("browser" and "whole")."""
    half: bool = False
    """Store weights in float16, at half the size; they are computed in float32."""

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ConfigError(f"ExportConfig.part must be one of {', '.join(PARTS)}, got {self.part!r}")
        if self.only_best and self.part not in ("browser", "whole"):
            raise ConfigError(f"ExportConfig.only_best has no meaning for the {self.part}, which returns every mask")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportReport:
    """What was written, and how far it is from PyTorch."""

    path: Path
    config: ExportConfig
    files: tuple[Path, ...]
    """`path`, and the file of tensors beside it when the model is too large for one."""
    size_bytes: int
    """All files together."""
    sha256: str
    """Of `path`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    differences: dict[str, float] = field(default_factory=dict)
    """Largest absolute difference from PyTorch of each compared output."""

    @property
    def max_difference(self) -> float:
        """The largest of all."""
        return max(self.differences.values())


def export_onnx(model: Sam, path: Path | str, config: ExportConfig | None = None) -> ExportReport:
    """Write one part of `model` as ONNX to `path` and compare it with PyTorch in onnxruntime.

    With `half` the comparison is with the model whose weights were rounded in the same way. Nothing is left at `path`
    that does not agree; what was there before stays then.

    Raises: ExportError when the file cannot be written or differs by more than `TOLERANCE`, MissingDependencyError
    without the onnx extra.
    """
    config = config or ExportConfig()
    path = Path(path)
    if not path.parent.is_dir():
        raise ExportError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    onnx = required("onnx")
    required("onnxscript")
    frozen = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval()
    if config.half:
        _round_to_half(frozen)
    graph = _Graph.of(frozen, config)
    with torch.no_grad():
        proto = _trace(graph)
    _strip(proto)
    if config.half:
        _store_as_half(onnx, proto)
    _describe(proto, model, config)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / path.name
            _write(onnx, proto, draft)
            differences = check_agreement(draft, frozen, only_best=config.only_best)
            # The file that refers to the other one goes last.
            drafts = [file for file in (draft.with_name(f"{path.name}.data"), draft) if file.exists()]
            files = tuple(file.replace(path.parent / file.name) for file in drafts)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error}; what was there before is unchanged") from error
    return ExportReport(
        path=path,
        config=config,
        files=files[::-1],
        size_bytes=sum(file.stat().st_size for file in files),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        inputs=graph.inputs,
        outputs=graph.outputs,
        differences=differences,
    )


@dataclass(frozen=True, slots=True)
class _Graph:
    """A module to trace, with example arguments and the names of what goes in and comes out."""

    module: nn.Module
    arguments: tuple[Any, ...]
    shapes: tuple[Any, ...]
    """For each argument its axes that may vary."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @staticmethod
    def of(model: Sam, config: ExportConfig) -> _Graph:
        """The graph of one part of `model`."""
        embedded = embedding_like(model)
        embedding = ("image_embeddings", *(f"finer_{index}" for index in range(len(embedded.finer))))
        size = model.input_size
        height, width = (torch.export.Dim(name, min=1, max=size) for name in ("height", "width"))
        pixels, pixel_axes = torch.zeros(size - 32, size - 16, 3, dtype=torch.uint8), {0: height, 1: width}
        prompts, prompt_axes = _example_prompts(model)
        original, answers = torch.tensor([float(size), float(size)]), (*_ANSWERS, "best_index", "best_box")
        if config.part == "encoder":
            return _Graph(EncoderGraph(model), (pixels,), (pixel_axes,), ("pixels",), embedding)
        maps = [embedded.main, *embedded.finer]
        fixed: list[dict[int, Any]] = [{} for _ in maps]
        if config.part == "decoder":
            arguments = (maps, *prompts)
            return _Graph(DecoderGraph(model), arguments, (fixed, *prompt_axes), (*embedding, *_PROMPTS), _ANSWERS)
        if config.part == "browser":
            browser = BrowserGraph(model, only_best=config.only_best)
            arguments, inputs = (maps, *prompts, original), (*embedding, *_PROMPTS, "orig_im_size")
            return _Graph(browser, arguments, (fixed, *prompt_axes, {}), inputs, answers)
        whole, inputs = WholeGraph(model, only_best=config.only_best), ("pixels", *_PROMPTS, "orig_im_size")
        return _Graph(whole, (pixels, *prompts, original), (pixel_axes, *prompt_axes, {}), inputs, answers)


def _example_prompts(model: Sam) -> tuple[tuple[Tensor, ...], tuple[dict[int, Any], ...]]:
    """Prompts to trace with (any numbers but 0 and 1 of them, which tracing would take for constants)."""
    prompts, points = torch.export.Dim("prompts", min=1, max=65536), torch.export.Dim("points", min=1, max=4096)
    tensors = (
        torch.ones(2, 3, 2),
        torch.ones(2, 3),
        torch.zeros(2, 1, model.mask_size, model.mask_size),
        torch.ones(2),
    )
    return tensors, ({0: prompts, 1: points}, {0: prompts, 1: points}, {0: prompts}, {0: prompts})


def _trace(graph: _Graph) -> Any:
    """The ONNX model of `graph`, as a protobuf message."""
    with _quiet():
        program = torch.onnx.export(
            graph.module.eval(),
            graph.arguments,
            input_names=graph.inputs,
            output_names=graph.outputs,
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=graph.shapes,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own inside, which nobody here can act on."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)  # "torchvision is not installed"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _round_to_half(model: Sam) -> None:
    """Every parameter rounded to the nearest float16."""
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.half().float()
        if not bool(torch.isfinite(parameter).all()):
            raise ExportError(f"{name} has values too large for float16; export without half")


def _strip(proto: Any) -> None:
    """Drop stack traces and other remarks of the exporter: they name this machine's folders."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del proto.graph.value_info[:]
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]


def _store_as_half(onnx: ModuleType, proto: Any) -> None:
    """Store every weight that is exactly a float16 as one, with a cast that runtimes fold when they load the file."""
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if values.size < _SMALLEST_HALF or not np.array_equal(halves.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _describe(proto: Any, model: Sam, config: ExportConfig) -> None:
    """What the file is, for whoever finds it."""
    facts = {
        "part": config.part,
        "model_sha256": model_hash(model),
        "config": json.dumps(to_plain(model.config)),
        "input_size": str(model.input_size),
        "mask_size": str(model.mask_size),
        "mask_threshold": str(model.mask_threshold),
        "only_best": str(config.only_best).lower(),
        "weights": "float16" if config.half else "float32",
    }
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value)
    proto.producer_name, proto.producer_version = "anymask", version("anymask")


def _write(onnx: ModuleType, proto: Any, path: Path) -> None:
    """One file, or two where protobuf could not hold it."""
    tensors = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    if tensors > _ONE_FILE_BYTES:
        onnx.save_model(proto, path, save_as_external_data=True, location=f"{path.name}.data")
    else:
        onnx.save_model(proto, path)

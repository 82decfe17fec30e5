"""Processes share the GPUs of a machine."""

import pytest
import torch

from anymask.model.devices import device_of


def test_gpus_are_taken_in_turn_and_other_devices_as_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [device_of("cuda", index) for index in range(4)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]
    assert device_of("cuda:1", 5) == "cuda:1"
    assert device_of("cpu", 5) == "cpu"

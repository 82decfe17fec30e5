"""What training logs, as TensorBoard files in the run's folder: numbers as curves, contact sheets as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from anymask.errors import MissingDependencyError
from anymask.runs import RunFolder


class TensorBoardLog:
    """Writes for one start of a run; what an earlier start wrote past `step` is hidden by TensorBoard.

    Raises: MissingDependencyError without the package tensorboard.
    """

    def __init__(self, run: RunFolder, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError(
                "--tensorboard needs the package tensorboard; pip install 'anymask[train]'"
            ) from error
        self._run, self._begun, self._step = run, step, step
        # A killed run has logged steps past its last checkpoint; they are taken again, and would be drawn twice.
        self._writer = SummaryWriter(str(run.path / "tensorboard"), purge_step=step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of `step`, and the contact sheet of the step before, which was drawn after its values."""
        if step > self._step:
            self._add_sheet()
        self._step = step
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Add the last contact sheet, and end the file."""
        self._add_sheet()
        self._writer.close()

    def _add_sheet(self) -> None:
        from anymask.images.load import load_image

        path = self._run.path / "sheets" / f"step_{self._step:06d}.jpg"
        # The sheet of the step that the run goes on from was added by the start that drew it.
        if self._step > self._begun and path.is_file():
            self._writer.add_image("contact sheet", load_image(path).pixels, self._step, dataformats="HWC")


@contextmanager
def opened_log(run: RunFolder, step: int, *, wanted: bool) -> Iterator[TensorBoardLog | None]:
    """The log while the block runs, or None when it is not `wanted`.

    Raises: as `TensorBoardLog`.
    """
    if not wanted:
        yield None
        return
    log = TensorBoardLog(run, step)
    try:
        yield log
    finally:
        log.close()

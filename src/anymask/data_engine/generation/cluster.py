"""The same pieces made by a Ray cluster, with Ray Data: actors that keep their model, GPU actors where there are GPUs.

The run's work folder and the sources must be reachable under the same names on every machine of the cluster. Ray
restarts actors that die and gives their pieces out again; who is to blame is read from the same files as with local
processes, and pieces are the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from anymask.data_engine.generation.crew import Job, Made, prepare_process
from anymask.data_engine.generation.manifest import FILE, Piece, open_for_work
from anymask.data_engine.generation.pieces import PieceFacts, PieceMaker
from anymask.errors import MissingDependencyError, RunError


class PieceActor:
    """One worker of the cluster."""

    def __init__(self, job: Job) -> None:
        prepare_process(job.threads)
        self._session = job.session
        self._maker = PieceMaker(job.work, open_for_work(job.work / FILE), device=job.device)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The pieces of one batch made; the facts of each as one row."""
        rows = zip(batch["name"], batch["shard"], batch["start"], batch["pictures"], strict=True)
        # Ray gives numbers as numpy's.
        pieces = [Piece(str(name), int(shard), int(start), int(count)) for name, shard, start, count in rows]
        return {"facts": [asdict(self._maker.make(piece, self._session)) for piece in pieces]}


def run_ray(
    job: Job,
    pieces: Sequence[Piece],
    workers: int,
    made: Made,
    should_stop: Callable[[], bool],
    address: str | None = None,
) -> None:
    """Make all `pieces` with `workers` actors; returns early when `should_stop`.

    Ray Data restarts actors without end and does their work again; a picture that ends them is set aside by its tries.
    Joins the cluster at `address` ("auto" for the one of this machine), or starts one here and ends it afterwards. Each
    actor takes as many CPUs as the job has threads, and a GPU when its device is cuda.

    Raises: MissingDependencyError without Ray; RunError when the cluster cannot be joined or gives up.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError("--engine ray needs Ray: pip install 'anymask[ray]'") from error
    is_ours = not ray.is_initialized()
    by_name = {piece.name: piece for piece in pieces}
    try:
        if is_ours:
            _join(ray, job, workers, address)
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([asdict(piece) for piece in pieces], override_num_blocks=len(pieces)).map_batches(
            PieceActor,
            fn_constructor_args=(job,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(pieces))),
            num_cpus=job.threads,
            num_gpus=1 if job.device.startswith("cuda") else 0,
        )
        for row in rows.iter_rows():
            facts = PieceFacts(**row["facts"])
            made(by_name[facts.piece], facts)
            if should_stop():
                return
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise RunError(f"the Ray cluster gave up: {str(error)[:500]}; the same command goes on") from error
    finally:
        if is_ours:
            ray.shutdown()


def _join(ray: Any, job: Job, workers: int, address: str | None) -> None:
    if address is not None:
        ray.init(address=address, log_to_driver=False)
        return
    # One CPU more than the actors take: reading the list of pieces is a task too.
    ray.init(num_cpus=workers * job.threads + 1, include_dashboard=False, log_to_driver=False)

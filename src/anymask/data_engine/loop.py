"""One turn of the loop: accepted masks become a dataset version, it retrains the model, people get the better one.

    choose masks -> freeze -> (stage 3: generate) -> retrain -> score -> decide -> publish -> advance the stage
        -> (stage 2: train the detector, propose) -> order the queue

`take_turn` reads in this order. Each step is done once: what it made is a file in the turn's folder, so a turn that was
killed goes on where it was, and ends as it would have. The model that people work with changes in one step alone, by
one row of the database, after all that servers need of it is in their store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import deployment
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.promote import Decision, decide
from anymask.data_engine.simulated_notes import Effort, effort
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ModelRow, ProjectRow, TurnRow
from anymask.data_engine.turns import card, stages
from anymask.data_engine.turns.alone import Generated, make_masks
from anymask.data_engine.turns.config import AUTOMATIC, SEMI_AUTOMATIC, EngineConfig
from anymask.data_engine.turns.detecting import Detected, make_detector
from anymask.data_engine.turns.folder import END, StoppedError, TurnFolder, TurnFolders
from anymask.data_engine.turns.freeze import DatasetVersion, MaskChoice, choose_masks, freeze, refuse_nothing
from anymask.data_engine.turns.hardest import QueueOrder, Skipped, find_skipped, order_queue, return_skipped
from anymask.data_engine.turns.retrain import TRAINING_LOCK, TrainTask, train
from anymask.data_engine.turns.score import ALSO, BENCHMARK, HELD, ModelScores, score, summarise
from anymask.data_engine.turns.stages import StageNumbers
from anymask.dataset.licences import KNOWN_LICENCES
from anymask.errors import DatasetError, NotThereError, RunError, TakenError
from anymask.evaluation.results import PictureResult
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash
from anymask.predict.predictor import Predictor
from anymask.runs import to_plain, write_atomically

CONFIG_OF_TURN = "config"
"""The file of a turn's folder that holds the engine's configuration."""


def _nothing(*_: Any) -> None:
    """A hook that nobody wants."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnHooks:
    """What a turn tells while it goes on, and asks."""

    begins: Callable[[str], None] = _nothing
    """The step that begins, in words."""
    progress: Callable[[int, int], None] = _nothing
    """How much of the step is done, and of how much."""
    should_stop: Callable[[], bool] = field(default=lambda: False)
    """Whether to end here and go on another time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a turn is about, fixed when it begins."""

    number: int
    begun_at: str
    stage: str
    model_sha256: str
    """The current model: what is retrained, and compared with."""
    masks: tuple[MaskChoice, ...]
    """What is learned from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """The retrained model."""

    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Both models on everything that they are scored on."""

    models: tuple[ModelScores, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Whether people have the candidate now."""

    deployment: int | None
    """Number of its deployment; None when it was not promoted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnReport:
    """How a turn went: the last file of its folder."""

    number: int
    begun_at: str
    ended_at: str
    stage: str
    next_stage: str
    model_before: str
    model_after: str
    """The candidate's when it was promoted, else the one before."""
    candidate: str
    version: DatasetVersion
    generated: Generated | None
    numbers: StageNumbers
    """Of this stage, as it was when the turn ended."""
    scores: tuple[ModelScores, ...]
    decision: Decision
    detected: Detected | None
    """The detector for the next turn's people, in stage 2."""
    queue: QueueOrder
    no_detector: str = ""
    """Why there is no detector in stage 2, where there is none."""
    effort: Effort | None = None
    """What simulated people did for it, if any worked."""


class Engine:
    """An engine's folder with its configuration, and the server's database and store."""

    def __init__(self, folder: Path, config: EngineConfig, database: Database, blobs: Blobs, cache: Path) -> None:
        """`cache` is where written decoders are kept.

        Raises: NotThereError when the database has no such project.
        """
        self.folder, self.config, self.database, self.blobs, self.cache = folder, config, database, blobs, cache
        self.turns = TurnFolders(folder)
        self.shelf = ModelShelf(database, blobs)
        self.project_id = database.read(lambda session: _find_project(session, config.project))

    def current_model(self) -> str:
        """The hash of the model that people work with; its weights are in the store.

        Raises: NotThereError when there is none, or the store has not its weights.
        """
        row = self.database.read(deployment.current)
        if row is None:
            raise NotThereError("no model was deployed on this database; give one to `anymask engine init --model`")
        stored = self.database.read(lambda session: session.get_one(ModelRow, row.model_sha256))
        if stored.weights_key is None:
            raise NotThereError(
                f"the weights of the current model {row.model_sha256[:12]}... are not in the store; "
                "`anymask engine init --model` puts them there"
            )
        return row.model_sha256

    def model(self, sha256: str) -> Sam:
        """The model of this hash, from the store."""
        return self.shelf.get(sha256).model


def take_turn(engine: Engine, hooks: TurnHooks | None = None) -> TurnReport | None:
    """One turn, or what is left of one that was begun; None when it was told to stop.

    Raises: RunError when another process takes one, training fails, or somebody changed the current model meanwhile;
    DatasetError when there is nothing to learn from. The model that people work with stays as it is then.
    """
    with engine.turns.locked():
        try:
            return _take(engine, engine.turns.begin(), hooks or TurnHooks())
        except StoppedError:
            return None


def new_masks(engine: Engine) -> int:
    """Accepted masks of finished pictures that no finished turn has learned from."""
    chosen = engine.database.read(lambda session: choose_masks(session, engine.project_id))
    seen = {one.mask for turn in engine.turns.finished() for one in turn.read("plan", Plan).masks}
    return sum(one.mask not in seen for one in chosen)


def _take(engine: Engine, turn: TurnFolder, hooks: TurnHooks) -> TurnReport:
    # What the folder's results come from: of a turn that goes on, as it is configured now.
    turn.keep(CONFIG_OF_TURN, engine.config)
    hooks.begins("choose masks")
    plan = turn.once("plan", Plan, lambda: _choose(engine, turn))
    hooks.begins("freeze the dataset version")
    version = turn.once("dataset", DatasetVersion, lambda: _freeze(engine, turn, plan))
    generated = None
    if plan.stage == AUTOMATIC:
        hooks.begins("generate masks")
        generated = turn.once("generated", Generated, lambda: _generate(engine, turn, plan, hooks))
    hooks.begins("retrain")
    candidate = turn.once("candidate", Candidate, lambda: _retrain(engine, turn, plan, generated, hooks))
    hooks.begins("score both models")
    scores, decision = _judge(engine, turn, plan, candidate, hooks)
    hooks.begins("publish" if decision.promote else "keep the model")
    published = turn.once("published", Published, lambda: _publish(engine, turn, plan, candidate, decision))
    current = candidate.sha256 if published.deployment is not None else plan.model_sha256
    numbers = turn.once("stage", StageNumbers, lambda: _advance(engine, plan))
    next_stage = engine.database.read(lambda session: stages.stage_of(session, engine.project_id))
    skipped = turn.once("skipped", Skipped, lambda: _find_skipped(engine, published))
    if not turn.has("queue"):
        # Before proposals are asked for, which only pictures that wait get.
        engine.database.write(lambda session: return_skipped(session, skipped))
    detected, no_detector = None, ""
    if next_stage == SEMI_AUTOMATIC:
        hooks.begins("train the detector")
        try:
            detected = turn.once("detected", Detected, lambda: _detect(engine, turn, current, hooks))
        except DatasetError as error:
            # A few pictures that came in a day: the next turn has more, and this one has its model.
            no_detector = str(error)
            hooks.begins(f"no detector: {no_detector}")
    hooks.begins("order the queue")
    queue = turn.once("queue", QueueOrder, lambda: _order(engine, current, skipped, hooks))
    report = TurnReport(
        number=plan.number,
        begun_at=plan.begun_at,
        ended_at=engine.database.clock().isoformat(),
        stage=plan.stage,
        next_stage=next_stage,
        model_before=plan.model_sha256,
        model_after=current,
        candidate=candidate.sha256,
        version=version,
        generated=generated,
        numbers=numbers,
        scores=scores.models,
        decision=decision,
        detected=detected,
        queue=queue,
        no_detector=no_detector,
        effort=effort(engine.folder, plan.number),
    )
    _write_card(turn, report)
    engine.database.write(lambda session: _tell_the_tool(session, engine, report))
    turn.keep(END, report)
    return report


def _choose(engine: Engine, turn: TurnFolder) -> Plan:
    """Which masks, in which stage, from which model."""
    model_sha256 = engine.current_model()
    masks = engine.database.read(lambda session: choose_masks(session, engine.project_id))
    stage = engine.database.read(lambda session: stages.stage_of(session, engine.project_id))
    finished = engine.turns.finished()
    if engine.config.learn_from == "new" and finished:
        before = {(one.mask, one.version) for old in finished for one in old.read("plan", Plan).masks}
        # In the last stage nobody annotates: the turn goes on with what was there.
        fresh = [one for one in masks if (one.mask, one.version) not in before]
        masks = fresh or (masks if stage == AUTOMATIC else [])
    config = engine.config
    # Before anything is kept: a turn that was begun would find nothing again when there is something.
    needs_held = not config.score.benchmark
    engine.database.read(
        lambda session: refuse_nothing(session, masks, config.held_share, config.split_seed, needs_held=needs_held)
    )
    return Plan(
        number=turn.number,
        begun_at=engine.database.clock().isoformat(),
        stage=stage,
        model_sha256=model_sha256,
        masks=tuple(masks),
    )


def _freeze(engine: Engine, turn: TurnFolder, plan: Plan) -> DatasetVersion:
    config = engine.config
    folder = turn.path / "dataset"
    return freeze(
        engine.database, engine.blobs, plan.masks, folder, held_share=config.held_share, seed=config.split_seed
    )


def _generate(engine: Engine, turn: TurnFolder, plan: Plan, hooks: TurnHooks) -> Generated:
    """Masks of pictures that nobody has worked on, by the current model alone."""
    weights = _start_weights(engine, turn, plan)
    return make_masks(engine.database, engine.blobs, engine.project_id, turn.path, weights, engine.config, hooks)


def _retrain(engine: Engine, turn: TurnFolder, plan: Plan, generated: Generated | None, hooks: TurnHooks) -> Candidate:
    """The current model, trained further."""
    data = [str(turn.path / "dataset" / "train.tar")]
    if generated is not None and generated.masks:
        data += [str(path) for path in sorted((turn.path / "generated").glob("sa_*.tar"))]
    task = TrainTask(
        folder=turn.path,
        lock=engine.folder / TRAINING_LOCK,
        start=_start_weights(engine, turn, plan),
        data=tuple(data),
        stage=engine.config.stage(plan.stage),
        seed=plan.number,
    )
    weights = train(task, engine.config, hooks.progress, hooks.should_stop)
    return Candidate(sha256=model_hash(load(weights)))


def _start_weights(engine: Engine, turn: TurnFolder, plan: Plan) -> Path:
    """The file of the current model's weights, in the turn's folder."""
    path = turn.path / "start.safetensors"
    if not path.is_file():
        row = engine.database.read(lambda session: session.get_one(ModelRow, plan.model_sha256))
        assert row.weights_key is not None
        write_atomically(path, engine.blobs.read(row.weights_key))
    return path


def _judge(
    engine: Engine, turn: TurnFolder, plan: Plan, candidate: Candidate, hooks: TurnHooks
) -> tuple[Scores, Decision]:
    """Both models' scores on all data, and the gate's decision on the data that decide."""
    new = load(turn.path / "training" / "model.safetensors")
    models = {plan.model_sha256: engine.model(plan.model_sha256), candidate.sha256: new}
    held = str(turn.path / "dataset" / "held.tar")
    data = {BENCHMARK: engine.config.score.benchmark, ALSO: engine.config.score.also}
    data[HELD] = (held,) if turn.read("dataset", DatasetVersion).pictures["held"] else ()
    deciding = BENCHMARK if data[BENCHMARK] else HELD

    def results(sha256: str, kind: str) -> tuple[PictureResult, ...]:
        # Kept by model and picture: what an earlier turn scored, and what was scored before a kill, is read.
        folder = engine.folder / "scores" / kind
        return score(models[sha256], data[kind], engine.config.score, folder, hooks.progress) if data[kind] else ()

    def all_scores() -> Scores:
        found = [
            summarise(results(sha256, kind), sha256, kind, engine.config.score)
            for kind in data
            for sha256 in models
            if data[kind]
        ]
        return Scores(models=tuple(found))

    def decision() -> Decision:
        return decide(results(candidate.sha256, deciding), results(plan.model_sha256, deciding), engine.config.gate)

    return turn.once("scores", Scores, all_scores), turn.once("decision", Decision, decision)


def _publish(engine: Engine, turn: TurnFolder, plan: Plan, candidate: Candidate, decision: Decision) -> Published:
    """Weights and decoder go to the store, then one row of the database makes the model current."""
    if not decision.promote:
        return Published(deployment=None)
    model = load(turn.path / "training" / "model.safetensors")
    name = f"{engine.config.project} turn {plan.number}"
    deployment.keep_model(engine.database, engine.blobs, model, name, engine.cache, with_weights=True)
    try:
        number = deployment.promote(
            engine.database,
            candidate.sha256,
            instead_of=plan.model_sha256,
            key=f"{plan.begun_at} {plan.number}",
            note=decision.reason,
        )
    except TakenError as error:
        raise RunError(f"{error}; `anymask engine turn --abandon` sets this turn aside, and the next begins") from error
    return Published(deployment=number)


def _find_skipped(engine: Engine, published: Published) -> Skipped:
    """What comes again: a new model may do what the one before could not, the same one cannot."""
    if published.deployment is None:
        return Skipped()
    return engine.database.read(lambda session: find_skipped(session, engine.project_id))


def _detect(engine: Engine, turn: TurnFolder, current: str, hooks: TurnHooks) -> Detected:
    """A detector for the model that people have now; it proposes on the pictures that wait."""
    return make_detector(engine.database, engine.blobs, engine.model(current), turn.path, engine.config, hooks)


def _order(engine: Engine, current: str, skipped: Skipped, hooks: TurnHooks) -> QueueOrder:
    config, order = engine.config.hardest, QueueOrder(pictures=0)
    if config.pictures > 0:
        predictor = Predictor(engine.model(current))
        order = order_queue(engine.database, engine.blobs, predictor, engine.project_id, config, hooks.progress)
    return replace(order, returned=len(skipped.tasks))


def _advance(engine: Engine, plan: Plan) -> StageNumbers:
    """The numbers of the stage; when its target is met, the next one begins."""
    numbers = engine.database.read(lambda session: stages.measure(session, engine.project_id, plan.stage))
    before = [turn.read(END, TurnReport).stage for turn in engine.turns.finished()]
    if stages.is_met(engine.config.stage(plan.stage).until, numbers, before.count(plan.stage) + 1):
        following = stages.next_stage(plan.stage)
        engine.database.write(lambda session: stages.set_stage(session, engine.project_id, following))
    return numbers


def _write_card(turn: TurnFolder, report: TurnReport) -> None:
    facts = card.CardFacts(
        number=report.number,
        stage=report.stage,
        start_sha256=report.model_before,
        candidate_sha256=report.candidate,
        version=report.version,
        generated_masks=0 if report.generated is None else report.generated.masks,
        numbers=report.numbers,
        scores=report.scores,
        decision=report.decision,
        licences=KNOWN_LICENCES,
    )
    write_atomically(turn.path / card.CARD, card.to_markdown(facts).encode())


def _tell_the_tool(session: Session, engine: Engine, report: TurnReport) -> None:
    row = TurnRow(
        project_id=engine.project_id,
        number=report.number,
        report=to_plain(report),
        created_at=engine.database.clock(),
    )
    session.merge(row)


def _find_project(session: Session, name: str) -> int:
    found = session.scalar(select(ProjectRow.id).where(ProjectRow.name == name))
    if found is None:
        raise NotThereError(f"the database has no project called {name!r}; make it in the tool, or name another")
    return found

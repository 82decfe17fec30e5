"""The decoder on the server, for browsers that cannot run it: a few embedded pictures are kept ready."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.embedding import read_embedding
from anymask.data_engine.model_shelf import ModelShelf
from anymask.predict.prediction import Prediction
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt


class ServerDecoder:
    """Answers prompts on stored embeddings, one after the other; keeps the last few pictures in memory."""

    def __init__(self, shelf: ModelShelf, blobs: Blobs, *, pictures: int = 8) -> None:
        """At most `pictures` are kept, some megabytes each."""
        self.shelf, self.blobs, self.pictures = shelf, blobs, pictures
        self._ready: OrderedDict[str, Predictor] = OrderedDict()
        # One answer uses all cores already; and what is ready is shared.
        self._lock = Lock()

    def answer(
        self, key: str, image_sha256: str, model_sha256: str, prompt: Prompt, *, multimask: bool | None
    ) -> Prediction:
        """The answer of a model to `prompt` on its embedding, which the store has under `key`.

        Raises: EmbeddingMismatchError when it is of another picture or model, PromptError, NotThereError.
        """
        with self._lock:
            predictor = self._ready.pop(key, None) or Predictor(self.shelf.get(model_sha256).model)
            if not predictor.images:
                predictor.set_image(read_embedding(self.blobs, key, predictor.model, model_sha256))
            predictor.images[0].check_image(image_sha256)
            self._ready[key] = predictor
            while len(self._ready) > self.pictures:
                self._ready.popitem(last=False)
            return predictor.predict(prompt, multimask=multimask)

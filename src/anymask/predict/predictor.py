"""A model made useful on pictures: embed once, prompt many times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar, overload

import torch

from anymask.errors import InputError, PromptError
from anymask.images.frames import Frame
from anymask.images.limits import ImageLimits
from anymask.images.load import ImageSource, LoadedImage, load_image
from anymask.masks.types import MaskSet
from anymask.model.mask_decoder import PreparedImage
from anymask.model.sam import MaskPrediction, Sam
from anymask.model.weights import model_hash
from anymask.predict.batching import group_prompts
from anymask.predict.embeddings import EmbeddedImage, check_maps, load_embedding, save_embedding
from anymask.predict.prediction import Prediction, join_predictions
from anymask.predict.tracing import Thresholds, Tracer
from anymask.prompts.types import Prompt, PromptBatch

T = TypeVar("T")


class ReadyImage:
    """One embedded image with what the decoder and the way back to its pixels need, each made at first use."""

    def __init__(self, model: Sam, embedded: EmbeddedImage) -> None:
        self.model = model
        self.embedded = embedded
        self._prepared: PreparedImage | None = None
        self._tracer: Tracer | None = None

    @property
    def frame(self) -> Frame:
        """How the picture sits in the model's input."""
        return self.embedded.frame

    @property
    def tracer(self) -> Tracer:
        """Brings low-res logits to the picture's own size."""
        if self._tracer is None:
            thresholds = Thresholds(mask=self.model.mask_threshold)
            self._tracer = Tracer(self.frame, self.model.mask_size, thresholds=thresholds)
        return self._tracer

    def decode(self, prompts: PromptBatch, *, multimask: bool) -> MaskPrediction:
        """The low-res answers to P prompts given in input pixels, on the model's device."""
        with torch.no_grad():
            if self._prepared is None:
                self._prepared = self.model.prepare(self.embedded.embedding)
            return self.model.decode(self._prepared, prompts.to(self.model.device), multimask=multimask)


class Predictor:
    """Answers prompts on pictures.

    `set_image` (or `set_images`) embeds; `predict` answers one prompt or many on an image that was set. Memory does not
    grow with the number of prompts in `predict_iter` and `predict_masks`.
    """

    def __init__(self, model: Sam, *, prompts_at_once: int = 64, limits: ImageLimits | None = None) -> None:
        """For `model` as it is: device, dtype, mode are the caller's. At most `prompts_at_once` go through together."""
        if prompts_at_once < 1:
            raise InputError(f"prompts_at_once must be at least 1, got {prompts_at_once}")
        self.model = model
        self.prompts_at_once = prompts_at_once
        self.limits = limits or ImageLimits()
        self._images: tuple[ReadyImage, ...] = ()
        self._hash: tuple[object, str] | None = None

    @property
    def images(self) -> tuple[EmbeddedImage, ...]:
        """The embedded images that are set, in order."""
        return tuple(ready.embedded for ready in self._images)

    def model_sha256(self) -> str:
        """`model_hash` of the model as it is now; computed again only after its parameters changed."""
        tensors = self.model.state_dict(keep_vars=True).values()
        state = tuple((tensor.data_ptr(), tensor._version, tensor.dtype) for tensor in tensors)
        if self._hash is None or self._hash[0] != state:
            self._hash = (state, model_hash(self.model))
        return self._hash[1]

    def embed(self, image: ImageSource | LoadedImage) -> EmbeddedImage:
        """The embedding of one picture; nothing is set.

        `image` is a path, the bytes of a file, a PIL image, a uint8 array of (H, W), (H, W, 3) or (H, W, 4), a uint8
        tensor of (3, H, W) or (1, H, W), or what `load_image` gave.

        Raises: ImageError.
        """
        return next(self.embed_all([image]))

    def embed_all(self, images: Iterable[ImageSource | LoadedImage], *, at_once: int = 1) -> Iterator[EmbeddedImage]:
        """The embeddings of many pictures of any sizes, in order; `at_once` go through the encoder together.

        Raises: ImageError.
        """
        model_sha256 = self.model_sha256()
        for several in _in_parts(images, at_once):
            loaded = [image if isinstance(image, LoadedImage) else load_image(image, self.limits) for image in several]
            frames = [Frame.fit(image.size_hw, self.model.input_size) for image in loaded]
            with torch.no_grad():
                inputs = [
                    # A copy: Pillow's array is read-only, and torch takes none.
                    self.model.preprocess(torch.tensor(frame.resize_pixels(image.pixels)).permute(2, 0, 1)[None])
                    for image, frame in zip(loaded, frames, strict=True)
                ]
                embedding = self.model.embed(torch.cat(inputs))
            for index, (image, frame) in enumerate(zip(loaded, frames, strict=True)):
                yield EmbeddedImage(
                    frame=frame,
                    embedding=embedding[index],
                    image_sha256=image.sha256,
                    model_sha256=model_sha256,
                )

    def set_image(self, image: ImageSource | LoadedImage | EmbeddedImage) -> EmbeddedImage:
        """Embed one picture (as in `embed`), or take an embedding made before, for the prompts to come.

        Raises: ImageError, EmbeddingMismatchError for an embedding of another model.
        """
        return self.set_images([image])[0]

    def set_images(
        self, images: Iterable[ImageSource | LoadedImage | EmbeddedImage], *, at_once: int = 1
    ) -> tuple[EmbeddedImage, ...]:
        """The same for several pictures; `predict` then takes the index of one of them as `image`.

        Raises: ImageError, EmbeddingMismatchError. What was set before stays set then.
        """
        given = list(images)
        for image in given:
            if isinstance(image, EmbeddedImage):
                image.check_model(self.model_sha256())
        new = self.embed_all((image for image in given if not isinstance(image, EmbeddedImage)), at_once=at_once)
        embedded = [image if isinstance(image, EmbeddedImage) else next(new) for image in given]
        self._images = tuple(ReadyImage(self.model, image) for image in embedded)
        return self.images

    def reset(self) -> None:
        """Forget the images that are set, and free their memory."""
        self._images = ()

    def ready(self, image: int = 0) -> ReadyImage:
        """The image that is set, ready to be prompted in input pixels.

        Raises: PromptError when none is set, or not so many.
        """
        if not 0 <= image < len(self._images):
            raise PromptError(
                f"image {image} was prompted but {len(self._images)} are set; call set_image or set_images first"
            )
        return self._images[image]

    @overload
    def predict(self, prompts: Prompt, *, multimask: bool | None = None, image: int = 0) -> Prediction: ...
    @overload
    def predict(
        self, prompts: Sequence[Prompt], *, multimask: bool | None = None, image: int = 0
    ) -> list[Prediction]: ...
    def predict(
        self, prompts: Prompt | Sequence[Prompt], *, multimask: bool | None = None, image: int = 0
    ) -> Prediction | list[Prediction]:
        """The answer to one prompt, or the answers to many in their order.

        `multimask` True asks three masks of every prompt, False one, None three of a single point and one of all else.
        An answer holds low-res logits (up to 0.8 MB a prompt at input size 1024); for thousands of prompts take
        `predict_iter` or `predict_masks`.

        Raises: PromptError, UnsupportedPromptError for text.
        """
        if isinstance(prompts, Prompt):
            return next(self.predict_iter([prompts], multimask=multimask, image=image))
        return list(self.predict_iter(prompts, multimask=multimask, image=image))

    def predict_iter(
        self, prompts: Iterable[Prompt], *, multimask: bool | None = None, image: int = 0
    ) -> Iterator[Prediction]:
        """The answers one after the other, in the order of `prompts`, in bounded memory.

        Prompts are decoded with others of the same number of tokens only, so each is answered as if it came alone.

        Raises: PromptError, UnsupportedPromptError for text, when the prompt's turn comes.
        """
        yield from answer_prompts(self.ready(image), prompts, self.prompts_at_once, multimask)

    def predict_masks(
        self, prompts: Iterable[Prompt], *, multimask: bool | None = None, image: int = 0, best: bool = True
    ) -> MaskSet:
        """The masks of all prompts as run lengths at the original size, in bounded memory.

        One mask a prompt, that of highest predicted IoU; with `best` False all of them, prompt by prompt.

        Raises: PromptError, UnsupportedPromptError for text.
        """
        answers = self.predict_iter(prompts, multimask=multimask, image=image)
        chosen = (answer.take(answer.best) if best else answer for answer in answers)
        return join_predictions(chosen, self.ready(image).frame.original_hw)

    def save_embedding(self, path: Path | str, *, image: int = 0) -> None:
        """Write the embedding of an image that is set (all its maps, its frame, both hashes) as safetensors."""
        save_embedding(self.ready(image).embedded, path)

    def load_embedding(self, path: Path | str, *, image: ImageSource | LoadedImage | None = None) -> EmbeddedImage:
        """Set the image whose embedding was saved at `path`; when the picture is given too, check that it is that one.

        Raises: EmbeddingMismatchError for an embedding of another model or picture, InputError for another file.
        """
        stored = load_embedding(path)
        stored.check_model(self.model_sha256())
        check_maps(stored, self.model)
        if image is not None:
            loaded = image if isinstance(image, LoadedImage) else load_image(image, self.limits)
            stored.check_image(loaded.sha256)
        return self.set_image(
            EmbeddedImage(
                frame=stored.frame,
                embedding=stored.embedding.to(self.model.device, self.model.dtype),
                image_sha256=stored.image_sha256,
                model_sha256=stored.model_sha256,
            )
        )


def answer_prompts(
    ready: ReadyImage, prompts: Iterable[Prompt], at_once: int, multimask: bool | None
) -> Iterator[Prediction]:
    """The answers to prompts on an embedded picture, in their order, `at_once` of them decoded together at most.

    `multimask` as for `Predictor.predict`.

    Raises: PromptError, UnsupportedPromptError for text, when the prompt's turn comes.
    """
    for several in _in_parts(prompts, at_once):
        answers: dict[int, Prediction] = {}
        for group in group_prompts(several, ready.frame, ready.model.mask_size, multimask):
            answer = ready.decode(group.prompts, multimask=group.multimask)
            logits, iou = answer.logits.float().cpu().numpy(), answer.iou.float().cpu().numpy()
            for row, index in enumerate(group.index):
                answers[index] = Prediction(
                    prompt=several[index], logits=logits[row], predicted_iou=iou[row], tracer=ready.tracer
                )
        for index in range(len(several)):
            yield answers.pop(index)


def _in_parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """`values` in lists of at most `size`, read only as far as asked for."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part

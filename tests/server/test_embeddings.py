import numpy as np
import pytest

from anymask.data_engine import pictures
from anymask.errors import EmbeddingMismatchError
from anymask.model.sam import Sam
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt
from anymask.server.embeddings import ServerDecoder
from tests.data_engine.world import draw_picture
from tests.server.browser import Site


def test_the_answer_is_the_predictors_up_to_half_precision(site: Site, model: Sam) -> None:
    image = site.add_picture(site.add_project())
    site.work()
    key = site.services.database.read(lambda s: pictures.find_embedding(s, image["sha256"], site.services.model.sha256))
    assert key is not None
    prompt = Prompt(points_xy=np.array([[20, 20]], np.float32))
    decoder = ServerDecoder(site.services.decoder.shelf, site.services.blobs, pictures=1)
    sha256 = site.services.model.sha256
    mine = decoder.answer(key, image["sha256"], sha256, prompt, multimask=None)
    predictor = Predictor(model)
    predictor.set_image(draw_picture())
    theirs = predictor.predict(prompt)
    np.testing.assert_allclose(mine.predicted_iou, theirs.predicted_iou, atol=0.02)
    assert mine.masks().shape == theirs.masks().shape
    assert decoder.answer(key, image["sha256"], sha256, prompt, multimask=False).masks().shape[0] == 1
    with pytest.raises(EmbeddingMismatchError):
        decoder.answer(key, "0" * 64, sha256, prompt, multimask=None)

"""A model made useful on pictures.

Takes: pictures, prompts, and a model of `model/`.
Gives: predictions, and everything in a picture as a `MaskSet`.
Next: `cli/` and `server/` show them, `data_engine/` keeps them as a dataset.
"""

from anymask.predict.embeddings import EmbeddedImage
from anymask.predict.prediction import Prediction
from anymask.predict.predictor import Predictor

__all__ = ["EmbeddedImage", "Prediction", "Predictor"]

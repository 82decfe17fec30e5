from anymask.model.weights import load as load

from .fine_tuning import linear_probe as linear_probe

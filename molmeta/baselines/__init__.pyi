from .constant import Constant as Constant
from .fine_tuning import FineTuneAll as FineTuneAll
from .fine_tuning import FineTuning as FineTuning
from .fine_tuning import linear_probe as linear_probe
from .logistic_regression import LogisticRegression as LogisticRegression
from .nearest_neighbours import NearestNeighbours as NearestNeighbours
from .random_forest import RandomForest as RandomForest

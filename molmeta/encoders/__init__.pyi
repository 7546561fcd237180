from .collation import collate as collate
from .features_with_prior import FeaturesWithPrior as FeaturesWithPrior
from .gin import GIN as GIN

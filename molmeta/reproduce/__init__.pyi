from .about import describe as describe
from .curves import write_curves as write_curves
from .nguyen2020 import reproduce as reproduce
from .sizes import SIZES as SIZES
from .sizes import Size as Size
from .tables import write_reproduction as write_reproduction

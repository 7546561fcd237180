from .about import describe as describe
from .nguyen2020 import reproduce as reproduce
from .sizes import SIZES as SIZES
from .sizes import Size as Size
from .tables import write_reproduction as write_reproduction

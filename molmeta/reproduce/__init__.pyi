from .about import describe as describe
from .claims import relative_improvement as relative_improvement
from .curves import write_curves as write_curves
from .methods import groups_of as groups_of
from .nguyen2020 import reproduce as reproduce
from .sizes import SIZES as SIZES
from .sizes import Size as Size
from .tables import write_reproduction as write_reproduction

from .standardisation import Policy as Policy
from .standardisation import Standardised as Standardised
from .standardisation import Standardiser as Standardiser
from .standardisation import standardise as standardise

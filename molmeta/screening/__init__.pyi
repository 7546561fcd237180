from .assembly import Extras as Extras
from .reading import Ask as Ask
from .reading import MoleculeReader as MoleculeReader
from .run import screen as screen
from .scorer import Scorer as Scorer
from .summary import percent as percent

"""A learner with its experiment, adapted to an assay, with its domain; as files that run no code.

It may import `encoders`, `baselines`, `datasets` and below.
What never enters: training, screening, the command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Score a library by adapted assays: one row out per row in, in constant memory, resumable.

It may import `models` and below.
What never enters: training, a measurement, a choice of model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

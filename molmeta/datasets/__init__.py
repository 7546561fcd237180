"""Where assays and images come from: tables, collections, folders, splits. Ends in tasks.

It may import `featurizers` and below.
What never enters: a learner, an encoder, a model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""p(y | x, S): `adapt(support)` to a state, and predictions from it; one paper a file.

It may import `tasks` and below.
What never enters: an encoder, a graph, a data set.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

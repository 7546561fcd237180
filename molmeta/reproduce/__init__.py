"""Published studies, run again on their own data or on a table, with the forest beside them.

It may import `evaluation` and below.
What never enters: what a study of another kind could use: that belongs below.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

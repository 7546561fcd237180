"""One assay on one HTML page that asks nobody for anything.

It may import the rest of `workbench` and below.
What never enters: a computation that the page does not show.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

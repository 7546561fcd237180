"""Files of molecules as streams of rows: CSV, SMILES, SDF and Parquet, plain or compressed.

It may import the small tools at the root.
What never enters: a model, a score.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

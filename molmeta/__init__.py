"""Few-shot learning for molecules: learn from hundreds of assays how to learn a new one.

The public names, imported when first used; `import molmeta` itself loads neither torch nor rdkit.
What each room below holds, its own first lines say.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"

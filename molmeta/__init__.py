"""Few-shot learning for molecules: learn from hundreds of assays how to learn a new one."""
__version__ = "0.1.0"

"""From RDKit molecules to feature blocks.

A featuriser has `row(mol)`, what one molecule gives, and `collect(rows)`, the block of many.
"""

"""The command line: one module a verb, which parses, calls and prints.

It may import everything, when a verb runs and not before.
What never enters: logic.
"""

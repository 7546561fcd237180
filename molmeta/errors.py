"""The errors that `molmeta` raises on purpose: one line that says what was found and what to do."""


def one_line(text: object) -> str:
    """A text as one line: breaks are spaces, and what cannot be printed is escaped."""
    words = " ".join(str(text).split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)


class MolmetaError(ValueError):
    """Bad input. The command line prints the message alone and ends with exit code 2."""


class UnsupportedTarget(MolmetaError):
    """A learner was given a target that it cannot honestly predict."""


class OneClassSupport(MolmetaError):
    """A support set lacks one of its classes, so there is nothing to tell apart."""


class TooFewMeasurements(MolmetaError):
    """An assay or a class of images has fewer examples than an episode asks for."""


class DataError(MolmetaError):
    """Data cannot be read: a table as assays, files as images."""


class UnknownAssay(DataError, KeyError):
    """A collection has no assay of this name."""

    __str__ = Exception.__str__  # KeyError's own would quote the sentence


class CheckpointError(MolmetaError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class ConfigError(MolmetaError):
    """An experiment's configuration is wrong."""

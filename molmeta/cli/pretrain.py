"""Pre-train an encoder, on molecules alone or on all assays at once, for others to begin with."""

from __future__ import annotations

import argparse

from molmeta.cli import train
from molmeta.cli.parsing import Parser
from molmeta.errors import ConfigError


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta pretrain`."""
    train.arguments(verb)
    verb.add_argument(
        "--without",
        nargs="+",
        metavar="TABLE",
        help="take out of training the molecules of these tables (of a column `smiles`), such as "
        "assays that a model shall be tested on; TABLE:SPLIT takes those of a split's validation "
        "and test assays",
    )


def run(args: argparse.Namespace) -> None:
    """Run `molmeta pretrain`; another experiment begins with it by `encoder_from`."""
    from molmeta.models import Batches, Imitations, load_experiment

    experiment = load_experiment(args.config)
    if not isinstance(experiment.episodes, Batches | Imitations):
        raise ConfigError(
            f"'{experiment.name}' is trained by episodes: use `molmeta train`; an encoder is "
            "pre-trained by molecules, with batch_size and, without labels, targets in [episodes]"
        )
    train.train(args, experiment)

"""Write `golden_defaults.json`: the defaults of learners as they are."""

from __future__ import annotations

import inspect
import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import molmeta.learners

GOLDEN = Path(__file__).with_name("golden_defaults.json")


def defaults() -> dict[str, dict[str, Any]]:
    """The defaults of every public class and function of `molmeta/learners/` that has any."""
    found = {}
    for module in pkgutil.iter_modules(molmeta.learners.__path__, "molmeta.learners."):
        for name, one in vars(import_module(module.name)).items():
            if getattr(one, "__module__", "") == module.name and inspect.isroutine(one):
                found[f"{module.name}.{name}"] = of(one)
            elif getattr(one, "__module__", "") == module.name and inspect.isclass(one):
                found[f"{module.name}.{name}"] = of(one.__init__)
    return {name: given for name, given in sorted(found.items()) if given}


def of(function: Any) -> dict[str, Any]:
    """The defaults of one, as JSON has them."""
    parameters = inspect.signature(function).parameters.values()
    given = {one.name: one.default for one in parameters if one.default is not one.empty}
    return {name: value for name, value in given.items() if isinstance(value, str | int | float)}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(defaults(), indent=1) + "\n")

"""A training configuration as JSON and back, and the name that it gives a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from rnnviz.engine.train_config import TrainConfig


def run_id(configs: Sequence[TrainConfig]) -> str:
    """The name of a run, 16 hexadecimal digits: a hash of everything that it depends on.

    Settings at their defaults are left out, so that a setting that comes later renames no old run.
    """
    return _name(tuple(configs))


@lru_cache(maxsize=4096)  # pages ask at every rerun
def _name(configs: tuple[TrainConfig, ...]) -> str:
    text = json.dumps([_changed(config) for config in configs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _changed(config: TrainConfig) -> dict[str, Any]:
    defaults = {f.name: f.default for f in fields(TrainConfig)}
    return {name: value for name, value in plain_of(config).items() if value != defaults[name]}


def plain_of(config: TrainConfig) -> dict[str, Any]:
    """Its fields, whole numbers where a real is meant made real: 1 and 1.0 train the same."""
    reals = ("lr", "clip", "forget_bias", "stop_at")
    plain = asdict(config) | {
        name: _real(getattr(config, name)) for name in reals if getattr(config, name) is not None
    }
    plain["scheme_options"] = tuple((name, _real(value)) for name, value in config.scheme_options)
    return plain


def _real(value: float) -> float:
    return float(value) + 0.0  # -0.0 is 0.0


def config_of(plain: Mapping[str, Any]) -> TrainConfig:
    """A configuration from JSON.

    Raises:
        ValueError, TypeError: one that cannot be.
    """
    known = {f.name for f in fields(TrainConfig)}
    unknown = [name for name in plain if name not in known]
    if unknown:
        raise ValueError(f"“{str(unknown[0])[:40]}” is no setting that this version knows")
    given = {name: _frozen(value) for name, value in plain.items()}
    for name in ("seeds", "options", "scheme_options"):
        value = given.get(name, ())
        if not isinstance(value, tuple):
            raise ValueError(f"{name} is {value!r}; allowed: a list")
        if name != "seeds" and not all(
            isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in value
        ):
            raise ValueError(f"{name} is {value!r}; allowed: a list of pairs, each a name and a value")
    return TrainConfig(**given)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value

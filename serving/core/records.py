"""Frozen dataclasses of plain values that survive JSON: what a rollout is told, knows and decides.

A stored decision can be replayed only if what it was made of comes back exactly, so reading is strict: a
missing, unknown or mistyped field, and every number that is not finite, is refused with one sentence.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound="DataclassInstance")


KINDS = {float: "number", int: "whole number", bool: "yes or no"}


@dataclass(frozen=True)
class Setting:
    """What a page or an API needs to ask for one field of a mode's Config."""

    name: str
    kind: str  # "number", "whole number", "yes or no", "numbers" or "names"
    default: Any
    title: str
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]


def setting(
    default: T,
    title: str,
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> T:
    """A field of a Config: its default, its texts, and what it (or each of its elements) may be."""
    told = {"title": title, "help": help_text, "low": low, "high": high, "choices": choices}
    made: T = field(default=default, metadata=told)
    return made


@dataclass(frozen=True)
class Settings:
    """The base of every mode's Config. Raises ValueError, with one sentence, for a value out of its range."""

    def __post_init__(self) -> None:
        for known in settings_of(type(self)):
            value = getattr(self, known.name)
            for one in value if isinstance(value, tuple) else (value,):
                _check(known, one)


def _check(known: Setting, value: float | str) -> None:
    if known.choices and value not in known.choices:
        raise ValueError(f"{known.title}: there is no '{value}'; there are {', '.join(known.choices)}.")
    if isinstance(value, str | bool):
        return
    low = -math.inf if known.low is None else known.low
    high = math.inf if known.high is None else known.high
    if not low <= value <= high:
        span = f"between {low:g} and {high:g}" if high < math.inf else f"at least {low:g}"
        raise ValueError(f"{known.title} must be {span}, not {value:g}.")


def settings_of(config: type[Settings]) -> list[Setting]:
    hints = get_type_hints(config)
    found = []
    for one in fields(config):
        inside = get_args(hints[one.name])
        kind = KINDS.get(hints[one.name]) or ("names" if inside[0] is str else "numbers")
        found.append(Setting(name=one.name, kind=kind, default=one.default, **one.metadata))
    return found


def to_json(record: "DataclassInstance") -> dict[str, Any]:
    """Objects, lists, strings and finite numbers only. Raises ValueError for a number that is not finite."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(record), allow_nan=False))
    return plain


def from_json(kind: type[RecordT], data: object) -> RecordT:
    """What `to_json` wrote. Fields with a default may be missing. Raises ValueError with one sentence."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{kind.__name__} must be an object with named fields, not {data!r}.")
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ValueError(f"There is no '{unknown[0]}'; there are {', '.join(known)}.")
    for one in known.values():
        if one.name not in data and one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"'{one.name}' is missing.")
    return kind(**{name: _read(hints[name], data[name], name) for name in known if name in data})


def _read(kind: object, value: object, name: str) -> object:
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if value is None else _read(inside[0], value, name)
    if origin is Literal:
        if value not in inside:
            raise ValueError(f"'{name}' must be one of {', '.join(inside)}, not {value!r}.")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"'{name}' must be a list, not {value!r}.")
        return tuple(_read(inside[0], one, name) for one in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"'{name}' must be an object with named fields, not {value!r}.")
        return {str(key): _read(inside[1], one, f"{name}.{key}") for key, one in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return from_json(kind, value)
    return _scalar(kind, value, name)


def _scalar(kind: object, value: object, name: str) -> object:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"'{name}' must be a finite number, not {value}.")
        return float(value)
    if type(value) is kind:
        return value
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    wanted = next((word for one, word in words.items() if one is kind), str(kind))
    raise ValueError(f"'{name}' must be {wanted}, not {value!r}.")

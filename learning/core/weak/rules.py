"""Rules vote on items. A rule is data, never code: it can be stored, shown and run again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from learning.core.weak.conditions import (
    Condition,
    MetadataCondition,
    NearCondition,
    PatternCondition,
    RuleItems,
    ScoreCondition,
)
from learning.core.weak.label_model import ABSTAIN, Votes

KINDS: dict[str, type] = {
    "metadata": MetadataCondition,
    "pattern": PatternCondition,
    "score": ScoreCondition,
    "near": NearCondition,
}


@dataclass(frozen=True)
class Rule:
    """Votes `label` where every condition holds; elsewhere it abstains."""

    name: str
    label: int
    when: tuple[Condition, ...]

    def votes(self, items: RuleItems) -> Votes:
        holds = np.ones(len(items.ids), dtype=bool)
        for condition in self.when:
            holds &= condition.holds(items)
        return np.where(holds, self.label, ABSTAIN)


@dataclass(frozen=True)
class TableRule:
    """Votes from elsewhere: item -> label, such as another tool's answers."""

    name: str
    table: Mapping[str, int]

    def votes(self, items: RuleItems) -> Votes:
        return np.array([self.table.get(item, ABSTAIN) for item in items.ids], dtype=np.int64)


def votes(rules: Sequence[Rule | TableRule], items: RuleItems) -> Votes:
    """(n, m): the label that each rule votes for, -1 where it abstains.

    Raises ValueError, naming the rule, where one needs something that is not there.
    """
    columns = []
    for rule in rules:
        try:
            columns.append(rule.votes(items))
        except ValueError as error:
            raise ValueError(f"Rule '{rule.name}': {error}") from None
    return np.stack(columns, axis=1) if columns else np.empty((len(items.ids), 0), dtype=np.int64)


def rule_from_json(data: object, classes: int) -> Rule | TableRule:
    """{"name", "label", "when": [{"kind", ...}]} or {"name", "table": {item: label}}, checked.

    Raises ValueError with one sentence that names the rule.
    """
    if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not data["name"]:
        raise ValueError("A rule needs a name.")
    name = data["name"]
    if "table" in data:
        table = data["table"]
        if not isinstance(table, dict) or not table:
            raise ValueError(f"Rule '{name}': its table must name a label for at least one item.")
        return TableRule(name, {str(item): _label(name, label, classes) for item, label in table.items()})
    when = data.get("when")
    if not isinstance(when, list) or not when:
        raise ValueError(f"Rule '{name}': it needs at least one condition.")
    return Rule(name, _label(name, data.get("label"), classes), tuple(_condition(name, one) for one in when))


def _label(name: str, label: object, classes: int) -> int:
    if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < classes:
        raise ValueError(f"Rule '{name}': {label!r} is not one of the labels 0..{classes - 1}.")
    return label


def _condition(name: str, data: object) -> Condition:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"Rule '{name}': there is no condition {kind!r}; there are: {', '.join(KINDS)}.")
    fields = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items() if key != "kind"}
    known = KINDS[kind].__annotations__
    if set(fields) != set(known):
        raise ValueError(f"Rule '{name}': the condition '{kind}' needs {', '.join(known)} and nothing else.")
    for key, value in fields.items():
        wanted = KINDS_OF_VALUES[key]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"Rule '{name}': {value!r} cannot be the {key} of the condition '{kind}'.")
    try:
        found: Condition = KINDS[kind](**fields)
    except ValueError as error:
        raise ValueError(f"Rule '{name}': {error}") from None
    return found


KINDS_OF_VALUES: dict[str, type | tuple[type, ...]] = {
    "field": str,
    "operator": str,
    "value": (str, int, float),
    "pattern": str,
    "label": int,
    "at_least": (int, float),
    "examples": tuple,
    "distance": (int, float),
}

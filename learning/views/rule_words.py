"""Rules and what they do, as people read it."""

from dataclasses import dataclass
from typing import Any

from learning.models import Rule, RuleCheck
from learning.rule_forms import OPERATORS
from learning.views.words import percent


@dataclass(frozen=True)
class Figures:
    error: str
    # Name and value of each figure, and what it rests on.
    rows: list[tuple[str, str, str]]
    examples: list[dict[str, Any]]


def figures_of(check: RuleCheck, key: str) -> Figures | None:
    """What the check found of one rule; None where it did not look at it (yet)."""
    row = check.result.get("rows", {}).get(key)
    if row is None:
        return None
    if "votes" not in row:
        return Figures(row["error"], [], [])
    estimated, accuracy = row["estimated_accuracy"], row["accuracy"]
    rows = [
        ("Coverage", f"{percent(row['coverage'])}%", f"votes on {row['votes']:,} of {check.items:,} images"),
        ("Overlap", f"{percent(row['overlap'])}%", "another rule votes there too"),
        ("Conflict", f"{percent(row['conflict'])}%", "another rule votes otherwise"),
        (
            "Estimated accuracy",
            "not known" if estimated is None else f"{percent(estimated)}%",
            "nothing else speaks of its images" if estimated is None else "by how rules and people agree",
        ),
        (
            "By people's labels",
            "not known" if accuracy is None else f"{percent(accuracy)}%",
            "nobody labelled its images yet" if accuracy is None else f"right on {_of(row)}",
        ),
    ]
    return Figures(row["error"], rows, row["examples"])


def _of(row: dict[str, Any]) -> str:
    n = row["checked"]
    return f"{round(row['accuracy'] * n):,} of {n:,} labelled image{'' if n == 1 else 's'}"


def when_in_words(rule: Rule, labels: dict[int, str]) -> str:
    if rule.table:
        return f"as the table {rule.table_name} says ({rule.table_rows:,} rows)".replace("  ", " ")
    return " and ".join(_condition(one, labels) for one in rule.when)


def _condition(one: dict[str, Any], labels: dict[int, str]) -> str:
    if one["kind"] == "metadata":
        return f"{one['field']} {OPERATORS[one['operator']]} “{one['value']}”"
    if one["kind"] == "pattern":
        return f"{one['field']} matches {one['pattern']}"
    if one["kind"] == "score":
        return f"the model gives {labels.get(one['label'], '?')} at least {one['at_least']:g}"
    n = len(one["examples"])
    return f"it lies within {one['distance']:g} of {n} example{'' if n == 1 else 's'}"

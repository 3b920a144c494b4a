"""What a person or a program wrote as a rule, checked and turned into what is stored, or one sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError

from labelling.models import Item, Question
from learning.core.weak.rules import rule_from_json
from learning.core.weak.vote_file import votes_checked
from learning.models import Learner, Rule
from learning.services.artifacts import artifact_put, canonical_json

MOST_CONDITIONS = 5
MOST_EXAMPLES = 50


@dataclass(frozen=True)
class RuleContent:
    """The columns of a Rule that a person writes."""

    name: str
    label_id: int | None
    when: list[dict[str, Any]]
    table: str
    table_name: str
    table_rows: int

    def columns(self) -> dict[str, Any]:
        return asdict(self)


def content_of_rule(rule: Rule) -> RuleContent:
    return RuleContent(rule.name, rule.label_id, rule.when, rule.table, rule.table_name, rule.table_rows)


def content_of_conditions(
    *, learner: Learner, name: str, label: str, when: Sequence[Mapping[str, Any]]
) -> RuleContent:
    """A rule of conditions. Labels are named; examples are named by their image's name or digest.

    Raises ValidationError, with one sentence that names the rule and what is wrong with it.
    """
    name = _name(name)
    if len(when) > MOST_CONDITIONS:
        raise _refused(name, f"it has {len(when)} conditions; at most {MOST_CONDITIONS} are taken.")
    labels = _labels(learner.question)
    # The library counts labels from 0; what is stored names them by id, which no renaming changes.
    counted, stored = [], []
    for condition in when:
        one = dict(condition)
        if one.get("kind") == "score" and "label" in one:
            one["label"] = _label(name, one["label"], labels)
        if one.get("kind") == "near" and isinstance(one.get("examples"), list):
            one["examples"] = _examples(name, learner, one["examples"])
        stored.append(one)
        counted.append({**one, "label": list(labels.values()).index(one["label"])} if "label" in one else one)
    label_id = _label(name, label, labels)
    _by_the_library(
        {"name": name, "label": list(labels.values()).index(label_id), "when": counted}, len(labels)
    )
    return RuleContent(name, label_id, stored, "", "", 0)


def content_of_table(
    *, learner: Learner, name: str, table: Mapping[str, str], file_name: str = ""
) -> RuleContent:
    """A rule that is a table {image's name or digest: label's name}; the table goes to storage.

    Raises ValidationError as above, also when no image of the pool is in the table.
    """
    name = _name(name)
    labels = _labels(learner.question)
    try:
        table = votes_checked(table, list(labels))
    except ValueError as error:
        raise _refused(name, _inside(str(error))) from None
    pool = Item.objects.filter(project=learner.project_id, split=Item.Split.POOL)
    named = list(table)
    if not (pool.filter(digest__in=named).exists() or pool.filter(name__in=named).exists()):
        raise _refused(
            name, f"no image of the pool is named in its table, where the first is '{named[0][:60]}'."
        )
    data = canonical_json({item: labels[label] for item, label in table.items()})
    return RuleContent(name, None, [], artifact_put(data=data, suffix=".json"), file_name[:200], len(table))


def _name(name: object) -> str:
    name = name.strip() if isinstance(name, str) else ""
    if not name:
        raise ValidationError("A rule needs a name.")
    longest = Rule._meta.get_field("name").max_length or 0
    if len(name) > longest:
        raise _refused(name[:30] + "...", f"its name is longer than {longest} characters.")
    return name


def _labels(question: Question) -> dict[str, int]:
    return {label.name: label.pk for label in question.labels.all()}


def _label(name: str, label: object, labels: dict[str, int]) -> int:
    if not label:
        raise _refused(name, "say which label it votes for.")
    found = labels.get(label) if isinstance(label, str) else None
    if found is None:
        shown = ", ".join(list(labels)[:12]) + (", ..." if len(labels) > 12 else "")
        raise _refused(name, f"there is no label '{str(label)[:60]}'; there are: {shown}.")
    return found


def _examples(name: str, learner: Learner, written: list[object]) -> list[str]:
    """The digests of the examples, each once, in the order written."""
    if len(written) > MOST_EXAMPLES:
        raise _refused(name, f"it has {len(written)} examples; at most {MOST_EXAMPLES} are taken.")
    found = []
    for one in written:
        wanted = str(one).strip()
        there = Item.objects.filter(project=learner.project_id)
        items = list(there.filter(digest=wanted)) or list(there.filter(name=wanted).order_by("id")[:2])
        if not items:
            raise _refused(name, f"there is no image '{wanted[:80]}' in this project.")
        if len(items) > 1:
            raise _refused(name, f"several images are called '{wanted[:80]}'; give the digest of the one.")
        if items[0].split == Item.Split.HOLDOUT:
            raise _refused(
                name,
                f"'{wanted[:80]}' is held out for measuring, so nothing may learn from it; take another.",
            )
        found.append(items[0].digest)
    return list(dict.fromkeys(found))


def _by_the_library(data: dict[str, Any], classes: int) -> None:
    try:
        rule_from_json(data, classes)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _refused(name: str, why: str) -> ValidationError:
    return ValidationError(f"Rule '{name}': {why}")


def _inside(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

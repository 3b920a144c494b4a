"""The form that writes a rule. What needs the database, learning.services.rule_contents checks."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from learning.core.weak.vote_file import MOST_BYTES
from learning.services.rule_contents import MOST_CONDITIONS

KINDS = {
    "": "no condition",
    "metadata": "a field is ...",
    "pattern": "a field matches a pattern",
    "near": "it looks like examples",
    "score": "the model's score",
}
OPERATORS = {
    "=": "is",
    "!=": "is not",
    "contains": "contains",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
}


def _offer(field: forms.Field, labels: list[str]) -> None:
    if isinstance(field, forms.ChoiceField):
        field.choices = [(name, name) for name in labels]


class ConditionForm(forms.Form):
    kind = forms.ChoiceField(label="Holds if", choices=list(KINDS.items()), required=False)
    field = forms.CharField(max_length=200, required=False, help_text="Of the image's metadata, or its file.")
    operator = forms.ChoiceField(label="Comparison", choices=list(OPERATORS.items()), required=False)
    value = forms.CharField(max_length=500, required=False)
    pattern = forms.CharField(
        max_length=500,
        required=False,
        help_text="A regular expression found anywhere in the field: ^img_\\d+ or (cat|kitten).",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocapitalize": "none"}),
    )
    label = forms.ChoiceField(label="Of the label", required=False)
    at_least = forms.FloatField(
        label="Is at least",
        required=False,
        initial=0.9,
        help_text="A probability from 0 to 1, by the newest model.",
        error_messages={"invalid": "Write the score as a number between 0 and 1, such as 0.9."},
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    examples = forms.CharField(
        label="More examples",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Names or digests of images, one a line.",
    )
    distance = forms.FloatField(
        label="Within a distance of",
        required=False,
        initial=0.5,
        help_text="0 is the same, 2 the opposite. The preview shows how far it reaches.",
        error_messages={"invalid": "Write the distance as a number between 0 and 2, such as 0.5."},
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )

    def __init__(
        self, sent: QueryDict | None, number: int, labels: list[str], initial: dict[str, Any] | None
    ) -> None:
        super().__init__(sent, prefix=f"c{number}", initial=initial)
        _offer(self.fields["label"], labels)
        # What stands as a picture beside the form, by its digest.
        picked = (
            sent.getlist(self.add_prefix("picked")) if sent is not None else (initial or {}).get("picked")
        )
        self.picked: list[str] = picked or []

    def condition(self) -> dict[str, Any] | None:
        """As the service takes it; None for no condition. The form must be valid."""
        kind, sent = self.cleaned_data["kind"], self.cleaned_data
        written = {
            "metadata": {name: sent[name] for name in ("field", "operator", "value")},
            "pattern": {name: sent[name] for name in ("field", "pattern")},
            "score": {name: sent[name] for name in ("label", "at_least")},
            "near": {
                "examples": [*self.picked, *filter(None, map(str.strip, sent["examples"].splitlines()))],
                "distance": sent["distance"],
            },
        }
        return {"kind": kind, **written[kind]} if kind else None

    def clean(self) -> dict[str, Any]:
        sent = super().clean() or self.cleaned_data
        kind = sent.get("kind")
        if kind in ("metadata", "pattern") and not sent.get("field"):
            self.add_error("field", "Name the field that is looked at.")
        if kind == "metadata" and not sent.get("value"):
            self.add_error("value", "Write what the field is compared with.")
        if kind == "pattern" and not sent.get("pattern"):
            self.add_error("pattern", "Write the pattern.")
        if kind == "score" and "at_least" in sent and sent["at_least"] is None:
            self.add_error("at_least", "Write the score as a number between 0 and 1, such as 0.9.")
        if kind == "near" and "distance" in sent and sent["distance"] is None:
            self.add_error("distance", "Write the distance as a number between 0 and 2, such as 0.5.")
        if kind == "near" and not self.picked and not (sent.get("examples") or "").strip():
            self.add_error("examples", "Choose at least one example.")
        return sent


class RuleForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="What people will know it by.",
        error_messages={"required": "Give the rule a name."},
    )
    source = forms.ChoiceField(
        choices=[("conditions", "conditions"), ("table", "a table of votes")],
        error_messages={"required": "Say whether the rule is made of conditions or a table."},
    )
    label = forms.ChoiceField(
        label="Votes for",
        required=False,
        error_messages={"invalid_choice": "There is no label '%(value)s'; choose one of the list."},
    )
    file = forms.FileField(
        label="Table (CSV)",
        required=False,
        allow_empty_file=True,
        help_text="A line for each image: its name or digest, a comma, the label. A name that several images "
        f"share speaks of all of them. At most {MOST_BYTES // 1024**2} MB.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def __init__(
        self,
        sent: QueryDict | None,
        files: MultiValueDict[str, Any] | None,
        labels: list[str],
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(sent, files, initial={"source": "conditions", **(initial or {})})
        _offer(self.fields["label"], labels)
        given = (initial or {}).get("when", [{"kind": "metadata"}])
        self.conditions = [
            ConditionForm(sent, number, labels, given[number] if number < len(given) else None)
            for number in range(MOST_CONDITIONS)
        ]

    def is_valid(self) -> bool:
        valid = super().is_valid()
        if not valid or self.cleaned_data["source"] == "table":
            return valid
        # Every one is asked, so that each shows what is wrong with it.
        errors = [condition.errors for condition in self.conditions]
        return not any(errors)

    def when(self) -> list[dict[str, Any]]:
        """The conditions that were written. The form must be valid."""
        return [one for one in (form.condition() for form in self.conditions) if one]

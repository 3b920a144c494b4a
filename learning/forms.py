from typing import Any

from django import forms
from django.http import QueryDict

from labelling.forms import PercentField
from learning.core.methods import METHODS
from learning.core.strategies import STRATEGIES

ERRORS = {
    "required": "Say after how many new labels to train again: 1 or more.",
    "invalid": "Write the number of new labels as a whole number, such as 1.",
    "min_value": "Train again after at least 1 new label.",
    "max_value": "Train again after at most 1,000,000 new labels.",
}


class LearnerForm(forms.Form):
    """The recipe. Choices are whatever the registries hold, and the project's own backbones."""

    def __init__(
        self,
        sent: QueryDict | None,
        initial: dict[str, Any] | None,
        backbones: dict[str, str],
        augmentations: dict[str, tuple[str, str]],
    ) -> None:
        super().__init__(sent, initial=initial)
        titles = {name: title for name, (title, _) in augmentations.items()}
        for name, choices in (("backbone", backbones), ("augmentation", titles)):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = list(choices.items())

    enabled = forms.BooleanField(required=False, label="Learn from new labels")
    strategy = forms.ChoiceField(
        choices=lambda: [(s.name, s.title) for s in STRATEGIES.values()],
        error_messages={
            "required": "Choose what to ask next.",
            "invalid_choice": "There is no strategy '%(value)s'; choose one of the list.",
        },
    )
    method = forms.ChoiceField(
        choices=lambda: [(m.name, m.title) for m in METHODS.values()],
        error_messages={
            "required": "Choose how to learn.",
            "invalid_choice": "There is no method '%(value)s'; choose one of the list.",
        },
    )
    backbone = forms.ChoiceField(
        error_messages={
            "required": "Choose what the features come from.",
            "invalid_choice": "There is no backbone '%(value)s'; choose one of the list.",
        },
    )
    augmentation = forms.ChoiceField(
        error_messages={
            "required": "Choose how pictures are changed while networks learn.",
            "invalid_choice": "There is no augmentation '%(value)s'; choose one of the list.",
        },
    )
    target = PercentField(
        label="Accuracy to reach (%)",
        most=99.9,
        error_messages={
            "required": "Say which accuracy is to be reached: 95 is usual.",
            "invalid": "Write the accuracy as a number of percent, such as 95.",
        },
        help_text="Once it is proven and more labels add little, the overview says that you can stop.",
    )
    retrain_after = forms.IntegerField(
        label="New labels before the next training",
        min_value=1,
        max_value=1_000_000,
        help_text="1 trains after every label; more leaves more of the machine to others.",
        error_messages=ERRORS,
    )
    training_seconds = forms.IntegerField(
        label="Time for one training (seconds)",
        min_value=1,
        max_value=86_400,
        error_messages={
            "required": "Say how many seconds one training may take: 300 is usual.",
            "invalid": "Write the time as a whole number of seconds, such as 300.",
            "min_value": "Give a training at least 1 second.",
            "max_value": "Give a training at most 86,400 seconds, which are a day.",
        },
        help_text="It is planned by the number of labels. A method that takes longer learns from fewer of "
        "the images without a label, or gives way to transfer, which always runs; the version says so.",
    )
    training_megabytes = forms.IntegerField(
        label="Memory for one training (MB)",
        min_value=20,
        max_value=1_000_000,
        error_messages={
            "required": "Say how much memory one training may take: 2000 MB are usual.",
            "invalid": "Write the memory as a whole number of megabytes, such as 2000.",
            "min_value": "Give a training at least 20 MB.",
            "max_value": "Give a training at most 1,000,000 MB.",
        },
        help_text="For the features it learns from and what it makes of them, beside what a worker "
        "always holds.",
    )

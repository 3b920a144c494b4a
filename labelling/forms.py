"""What the pages ask for. Rules that need the database are the services'; `take_errors` shows them."""

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict

from labelling.models import Membership, Project
from labelling.services.questions import MAX_QUESTIONS


class PercentField(forms.FloatField):
    """Shown and typed as a percentage, kept as a share of one."""

    def __init__(
        self,
        *,
        label: str,
        most: float,
        help_text: str,
        error_messages: dict[str, str],
        initial: float | None = None,
    ) -> None:
        super().__init__(
            label=label,
            min_value=0,
            max_value=most,
            initial=initial,
            help_text=help_text,
            error_messages={
                **error_messages,
                # Django fills in parameters by %.
                "min_value": "It cannot be less than 0%%.",
                "max_value": f"It cannot be more than {most:g}%%.",
            },
            widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
        )

    def prepare_value(self, value: object) -> object:
        # A float is a share out of Python; what a person typed comes back as text and is shown as it is.
        return f"{value * 100:g}" if isinstance(value, float) else value

    def clean(self, value: object) -> float:
        percent: float = super().clean(value)
        return percent / 100


def people_an_image() -> forms.IntegerField:
    return forms.IntegerField(
        label="People an image",
        min_value=1,
        max_value=20,
        initial=1,
        help_text="How many people answer each image.",
        error_messages={
            "required": "Say how many people answer each image: 1 to 20.",
            "invalid": "Say how many people answer each image with a whole number from 1 to 20.",
            "min_value": "At least one person answers each image.",
            "max_value": "At most 20 people answer each image.",
        },
    )


class QuestionForm(forms.Form):
    """A question; `labels` comes out as a list."""

    prompt = forms.CharField(
        label="Question",
        max_length=300,
        initial="What is in this image?",
        help_text="Asked of every image.",
        error_messages={"required": "Write the question that is asked of every image."},
    )
    labels = forms.CharField(
        max_length=150_000,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text="The possible answers, one a line. The first nine are on the keys 1 to 9, the tenth on 0; "
        "labels that are digits, on their own keys.",
        error_messages={"required": "Write at least two labels, one a line."},
    )

    def clean_labels(self) -> list[str]:
        text: str = self.cleaned_data["labels"]
        return text.splitlines()


class FurtherQuestionForm(QuestionForm):
    key = forms.SlugField(
        label="Short name",
        required=False,
        max_length=80,
        help_text="For programs and the prediction API, such as colour. Made from the question if empty.",
        error_messages={"invalid": "Write the short name with letters, digits, - and _ only."},
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prompt"].initial = ""


def further_forms(sent: QueryDict | None, more: int = 0) -> list[FurtherQuestionForm]:
    """The further questions of a new project's form as they were sent, and `more` empty ones."""
    prefixes = [f"further-{number}" for number in range(MAX_QUESTIONS - 1)]
    found = [prefix for prefix in prefixes if sent and f"{prefix}-prompt" in sent]
    forms_sent = [
        FurtherQuestionForm(sent, prefix=prefix, empty_permitted=True, use_required_attribute=False)
        for prefix in found
    ]
    return forms_sent + [FurtherQuestionForm(prefix=prefix) for prefix in prefixes[len(found) :][:more]]


class ProjectForm(QuestionForm):
    name = forms.CharField(
        max_length=200,
        help_text="The address is made from it.",
        error_messages={"required": "Give the project a name."},
    )
    overlap = people_an_image()
    holdout_share = PercentField(
        label="Hold-out (%)",
        most=90,
        initial=Project._meta.get_field("holdout_share").default,
        help_text="Drawn at random from the imported images, for measuring only. Fixed from now on. With 0, "
        "every label is learned from, and the accuracy is estimated from images asked at random.",
        error_messages={
            "required": "Say how much is held out for measuring: 20 is usual.",
            "invalid": "Write the hold-out as a number of percent, such as 20.",
        },
    )


class ProjectSettingsForm(forms.Form):
    name = forms.CharField(max_length=200, error_messages={"required": "Give the project a name."})
    description = forms.CharField(
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What annotators should know: what counts, what to do in doubt.",
    )
    overlap = people_an_image()
    lease_seconds = forms.IntegerField(
        label="Reservation (seconds)",
        min_value=5,
        max_value=3600,
        help_text="An image handed to a browser is reserved this long, then goes to someone else.",
        error_messages={
            "required": "Say how long an image is reserved: 5 to 3600 seconds.",
            "invalid": "Write the reservation as a whole number of seconds from 5 to 3600.",
            "min_value": "Reserve an image for at least 5 seconds.",
            "max_value": "Reserve an image for at most 3600 seconds.",
        },
    )
    holdout_queue_share = PercentField(
        label="Blind questions (%)",
        most=100,
        help_text="Part of the asked images that comes from the hold-out (without one, at random from all "
        "images), without any suggestion. More narrows the interval of the accuracy sooner; less leaves more "
        "labels for learning.",
        error_messages={
            "required": "Say how many percent of the asked images come from the hold-out.",
            "invalid": "Write the share as a number of percent, such as 25.",
        },
    )


class MemberForm(forms.Form):
    username = forms.CharField(
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
        error_messages={"required": "Write the name of the person to add."},
    )
    role = forms.ChoiceField(choices=Membership.Role.choices)


def take_errors(form: forms.BaseForm, error: ValidationError) -> None:
    """Put a service's sentences beside the fields they speak of; those of other fields above the form."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    for field, messages in by_field.items():
        for message in messages:
            form.add_error(field if field in form.fields else None, message)

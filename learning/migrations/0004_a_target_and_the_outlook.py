import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0003_remember_when_work_was_sent")]

    operations = [
        migrations.AddField(
            model_name="learner",
            name="outlook",
            field=models.JSONField(default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="learner",
            name="target",
            field=models.FloatField(
                default=0.95,
                help_text="The accuracy to reach: labelling may stop once it is proven.",
                validators=[
                    django.core.validators.MinValueValidator(0.5),
                    django.core.validators.MaxValueValidator(0.999),
                ],
            ),
        ),
    ]

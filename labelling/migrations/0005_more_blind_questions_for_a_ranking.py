from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labelling", "0004_suggest_answers_to_further_questions")]

    operations = [
        migrations.AddField(
            model_name="queue",
            name="blind_share",
            field=models.FloatField(
                default=0.0,
                help_text="Blind questions are at least this share while this ranking is in force.",
            ),
        ),
    ]

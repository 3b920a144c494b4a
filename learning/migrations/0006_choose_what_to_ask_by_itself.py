from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0005_pretraining")]

    operations = [
        migrations.AlterField(
            model_name="learner",
            name="strategy",
            field=models.CharField(default="auto", max_length=60),
        ),
    ]

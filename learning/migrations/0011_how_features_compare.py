from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0010_search_big_pools_in_parts")]

    operations = [
        migrations.AlterField(
            model_name="pretrainingrun",
            name="note",
            field=models.CharField(
                blank=True, default="", help_text="How it compares with the backbone before.", max_length=600
            ),
        ),
    ]

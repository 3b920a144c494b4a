from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0002_append_only")]
    operations = [
        migrations.AddField(
            "embeddingshard",
            "progress",
            models.PositiveIntegerField(default=0, help_text="Images dealt with so far."),
        ),
        migrations.AddField(
            "embeddingshard",
            "error",
            models.CharField(
                blank=True,
                default="",
                help_text="Why the last attempt stopped; it is tried again.",
                max_length=500,
            ),
        ),
        migrations.AddField(
            "embeddingshard",
            "enqueued_at",
            models.DateTimeField(help_text="When a worker was last asked to embed it.", null=True),
        ),
        migrations.AddField(
            "trainingrun",
            "enqueued_at",
            models.DateTimeField(help_text="When a worker was last asked to do it.", null=True),
        ),
        migrations.AddField("trainingrun", "started_at", models.DateTimeField(null=True)),
    ]

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labelling", "0003_claim_imports_by_owner"),
        ("learning", "0004_a_target_and_the_outlook"),
    ]

    operations = [
        migrations.CreateModel(
            name="PretrainingRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=7,
                    ),
                ),
                (
                    "stage",
                    models.CharField(
                        blank=True, default="", help_text="What it is doing now, in words.", max_length=60
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "enqueued_at",
                    models.DateTimeField(help_text="When a worker was last asked to do it.", null=True),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("method", models.CharField(max_length=60)),
                ("config", models.JSONField(default=dict)),
                ("seed", models.PositiveIntegerField()),
                (
                    "images",
                    models.PositiveIntegerField(
                        help_text="How many pictures of the pool it learns from.", null=True
                    ),
                ),
                ("progress", models.FloatField(default=0.0, help_text="The share that is done, 0 to 1.")),
                (
                    "backbone",
                    models.CharField(
                        blank=True, default="", help_text="What came out, by name.", max_length=60
                    ),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="How it compares with the backbone before.",
                        max_length=300,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pretraining_runs",
                        to="labelling.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=("project",),
                        name="one_live_pretraining_a_project",
                    )
                ],
            },
        ),
    ]

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('serving', '0015_drift_of_inputs'),
    ]

    operations = [
        migrations.RunSQL(
            'update serving_driftwindow set answers_drifted = drifted', migrations.RunSQL.noop
        ),
    ]

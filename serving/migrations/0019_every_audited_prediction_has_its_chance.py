from django.db import migrations

# Those from before the chance was kept were drawn with the share that their rollout had from start to end.
FILL = """
update serving_prediction set inclusion = rollout.audit_share from serving_rollout rollout
where rollout.id = serving_prediction.rollout_id and audited and inclusion is null and rollout.audit_share > 0
"""


class Migration(migrations.Migration):
    dependencies = [("serving", "0018_a_champion_may_fail_too")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]

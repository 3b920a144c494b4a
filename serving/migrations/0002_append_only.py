from django.db import migrations

FORWARD = """
create function serving_refuse_update() returns trigger language plpgsql as $$
begin
    raise exception '% rows never change: add a new one', tg_table_name;
end $$;
create trigger serving_decision_is_append_only before update on serving_decision
    for each row execute function serving_refuse_update();
create trigger serving_feedback_is_append_only before update on serving_feedback
    for each row execute function serving_refuse_update();
"""
BACKWARD = """
drop trigger serving_decision_is_append_only on serving_decision;
drop trigger serving_feedback_is_append_only on serving_feedback;
drop function serving_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("serving", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

from django.db import migrations

FORWARD = """
create function learning_refuse_update() returns trigger language plpgsql as $$
begin
    raise exception '% rows never change: add a new one', tg_table_name;
end $$;
create trigger learning_modelversion_is_append_only before update on learning_modelversion
    for each row execute function learning_refuse_update();
"""
BACKWARD = """
drop trigger learning_modelversion_is_append_only on learning_modelversion;
drop function learning_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

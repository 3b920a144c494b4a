from django.db import migrations

FORWARD = """
create function labelling_refuse_update() returns trigger language plpgsql as $$
begin
    raise exception '% rows never change: add a new one', tg_table_name;
end $$;
create trigger labelling_annotation_is_append_only before update on labelling_annotation
    for each row execute function labelling_refuse_update();
"""
BACKWARD = """
drop trigger labelling_annotation_is_append_only on labelling_annotation;
drop function labelling_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("labelling", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

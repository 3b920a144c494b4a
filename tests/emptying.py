"""How tables are emptied after a test with transactions of its own: hundreds of times a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.db import connection

# To truncate sixty tables makes some hundred files, however little was in them. What is deleted stays in its
# file until PostgreSQL clears it away: larger ones are truncated after all.
LARGE = 1_000_000
STATEMENT = """
do $$
declare name regclass;
begin
    lock table {tables} in access exclusive mode;
    if (select max(pg_relation_size(one)) from unnest('{{{tables}}}'::regclass[]) one) > {large} then
        truncate {tables};
    else
        -- Neither foreign keys nor what is only ever appended to stand in the way, as with truncate.
        set local session_replication_role = replica;
        foreach name in array '{{{tables}}}'::regclass[] loop
            execute format('delete from %s', name);
        end loop;
    end if;
end $$
"""


@contextmanager
def emptied_quickly() -> Iterator[None]:
    """Django's `flush` keeps what `migrate` makes of the models' names, which it would make anew."""
    filled = {model._meta.db_table for model in (ContentType, Permission)}

    def statements(*_: object, **options: bool) -> list[str]:
        there = connection.introspection.django_table_names(only_existing=True, include_views=False)
        tables = ", ".join(sorted(set(there) - filled))
        return [STATEMENT.format(tables=tables, large=LARGE)]

    with patch.multiple(flush, sql_flush=statements, emit_post_migrate_signal=lambda *_: None):
        yield

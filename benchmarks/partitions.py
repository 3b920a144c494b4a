"""Would predictions be better kept in a partition a day? Both ways side by side, in a PostgreSQL of its own.

A partitioned table can be unique only together with its day, so a prediction's id alone, which is all that a
client sends with feedback, is looked for in every partition, and feedback can point at a prediction only by
its id and day. In return a day is forgotten at once. Rows are as wide as real ones, with the same indexes.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks.report import Claim, print_report
from config.embedded import EmbeddedPostgres

BATCH = 5_000  # as serving.services.retention deletes
COLUMNS = """id uuid not null, project_id bigint not null, digest varchar(64) not null,
    request_id uuid not null, arm varchar(40) not null, top jsonb not null,
    infer_ms double precision not null, created_at timestamptz not null"""
ROWS = """select gen_random_uuid(), n %% 20, md5(n::text) || md5(n::text), gen_random_uuid(),
    'champion',
    '[{"label": "7", "probability": 0.93}, {"label": "1", "probability": 0.05}]'::jsonb, 9.5,
    timestamptz '2026-01-01 UTC' + make_interval(days => n %% %(days)s, secs => n / 100.0)
    from generate_series(0, %(rows)s - 1) n"""
TABLES = ("plain", "days")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partitions", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90, help="kept, so partitions (90)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the rows")
    options = parser.parse_args()
    rows = options.rows // 5 if options.quick else options.rows
    with tempfile.TemporaryDirectory(prefix="quern-partitions-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        url = postgres.start("partitions")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                make(connection, rows, options.days)
                measure(connection, rows, options.days)
        finally:
            postgres.stop()


def make(connection: psycopg.Connection, rows: int, days: int) -> None:
    connection.execute(f"create table plain ({COLUMNS}, primary key (id))")
    connection.execute(
        f"create table days ({COLUMNS}, primary key (id, created_at)) partition by range (created_at)"
    )
    for day in range(days + 1):  # the last takes what the seconds push over midnight
        begin, end = (f"timestamptz '2026-01-01 UTC' + interval '{one} days'" for one in (day, day + 1))
        bounds = connection.execute(f"select ({begin})::text, ({end})::text").fetchone()
        assert bounds is not None
        connection.execute(
            f"create table days_{day} partition of days for values from ('{bounds[0]}') to ('{bounds[1]}')"
        )
    for table in TABLES:
        connection.execute(f"create index on {table} (project_id, created_at)")
        connection.execute(f"create index on {table} (project_id, digest)")
    connection.execute(f"insert into plain {ROWS % {'rows': rows, 'days': days}}")
    connection.execute("insert into days select * from plain")
    connection.execute("vacuum analyze")


def measure(connection: psycopg.Connection, rows: int, days: int) -> None:
    ids = [row[0] for row in connection.execute("select id from plain order by id limit 300").fetchall()]
    looked_for = {table: median(partial(find, connection, table), ids) for table in TABLES}
    digests = [row[0] for row in connection.execute("select digest from plain limit 300").fetchall()]
    joined = {table: median(partial(match, connection, table), digests) for table in TABLES}
    stored = {table: once(partial(store, connection, table, days)) for table in TABLES}
    forgot = {
        "plain": once(lambda: forget(connection)),
        "days": once(lambda: connection.execute("drop table days_0")),
    }
    table: list[dict[str, object]] = [
        {"what": what, "plain ms": found["plain"] * 1000, "a partition a day, ms": found["days"] * 1000}
        for what, found in (
            ("a prediction by its id, as feedback finds it", looked_for),
            ("by project and image, as labels find it", joined),
            ("1,000 stored", stored),
            (f"a day of {rows // days:,} forgotten", forgot),
        )
    ]
    times = looked_for["days"] / looked_for["plain"]
    print_report(
        "partitions", table, [Claim("partitions do no harm: by its id, against plain", 1.5, times, "times")]
    )


def find(connection: psycopg.Connection, table: str, one: uuid.UUID) -> None:
    statement = SQL("select * from {} where id = %s").format(Identifier(table))
    connection.execute(statement, [one]).fetchone()


def match(connection: psycopg.Connection, table: str, digest: str) -> None:
    statement = SQL("select id from {} where project_id = any(%s) and digest = %s").format(Identifier(table))
    connection.execute(statement, [list(range(20)), digest]).fetchall()


def store(connection: psycopg.Connection, table: str, days: int) -> None:
    values = ROWS % {"rows": 1000, "days": days}
    connection.execute(f"insert into {table} {values}")


def forget(connection: psycopg.Connection) -> None:
    """In batches, as long transactions hold up others."""
    batch = """delete from plain where id in (select id from plain
        where created_at < timestamptz '2026-01-02 UTC' order by created_at limit %s)"""
    while connection.execute(batch, [BATCH]).rowcount:
        pass


def median(call: Callable[[Any], None], of: list[Any]) -> float:
    taken = []
    for one in of:
        started = time.perf_counter()
        call(one)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def once(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

"""Looks into a running stack's database: what is really stored, beside what the pages say."""

import time

import psycopg

from tests.e2e.stack import Stack

# The ranking in force has read every label.
KNOWS_ALL = "select through_annotation = (select max(id) from labelling_annotation) from labelling_queue"
IMPORTED = "select state = 'done' from labelling_importjob order by id desc limit 1"
EMBEDDED = "select count(*) > 0 and bool_and(path <> '') from learning_embeddingshard"


def ask(stack: Stack, sql: str) -> object:
    """The first column of the first row."""
    with psycopg.connect(stack.database_url) as connection:
        return _first(connection, sql)


def _first(connection: psycopg.Connection, sql: str) -> object:
    # The statements stand in the tests; psycopg's types ask for literals.
    row = connection.execute(sql.encode()).fetchone()
    return row[0] if row else None


def count(stack: Stack, rows: str) -> int:
    return int(str(ask(stack, f"select count(*) from {rows}")))


def eventually(stack: Stack, condition: str, seconds: float = 90) -> None:
    """Until the condition, an SQL statement, answers true."""
    deadline = time.monotonic() + seconds
    # One connection for all looks: to open one costs both sides as much as the work that is waited for.
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        while _first(connection, condition) is not True:
            assert time.monotonic() < deadline, f"not within {seconds} s: {condition}\n{stack.text[-3000:]}"
            time.sleep(0.02)

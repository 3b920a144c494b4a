"""The SQL that leases items: `TAKE` chooses and locks them, `HOLD` writes the leases under the locks."""

# An item is free for a person who does not hold it, finds a place that is neither answered nor held, and can
# still answer one of its questions: one that they have not answered or skipped, and that needs answers.
_FREE = """
    item.open
    and item.answers + (select count(*) from labelling_lease held
        where held.item_id = item.id and held.expires_at > statement_timestamp()) < %(overlap)s
    and not exists (select 1 from labelling_lease mine where mine.item_id = item.id
        and mine.annotator_id = %(annotator)s and mine.expires_at > statement_timestamp())
    and exists (select 1 from labelling_question asked where asked.project_id = %(project)s
        and (select count(*) filter (where said.kind = 'answer') < %(overlap)s
                and count(*) filter (where said.annotator_id = %(annotator)s) = 0
            from labelling_annotation said
            where said.item_id = item.id and said.question_id = asked.id and said.kind <> 'undo'
            and not exists (select 1 from labelling_annotation later where later.supersedes_id = said.id)))
"""

# The lock is NO KEY: a full one would skip every item to which a queue swap is just writing references.
_LOCK = "for no key update of item skip locked"

_UNRANKED = """
    select item.id, item.random_rank as place, null::int as rank, null::int as round_number,
           null::bigint as suggestion_id, null::float8 as confidence, '{}'::jsonb as others,
           case when item.split = 'holdout' then %(holdout_share)s::float8 end as inclusion
    from labelling_item item
    where item.project_id = %(project)s and item.split = SPLIT and FREE
        and item.id not in (TAKEN)
    order by item.random_rank limit greatest(0, LEFT_OVER) LOCK
"""

_LEFT_OVER = (
    "%(count)s - (select count(*) from drawn) - (select count(*) from wanted) - (select count(*) from ranked)"
)


def _filled(template: str, **parts: str) -> str:
    for name, text in parts.items():
        template = template.replace(name, text)
    return template


# Each step takes what the ones before have left over, so a source that is dry is made up for by the others.
# `drawn` are the blind ones: from the hold-out, or from the whole pool where a project has none. `wanted` are
# asked because of what happens outside, most of them blind too, so the ranking passes them over: first those
# few that have a list, then the newest, as what is drawn now is not to wait behind what was drawn before.
TAKE = _filled(
    """
with nothing as (select null::bigint as id where false),
drawn as (BLINDLY_DRAWN),
wanted as (
    select asked.kind, item.id, -asked.id as place, null::int as rank, null::int as round_number,
        null::bigint as suggestion_id, null::float8 as confidence, '{}'::jsonb as others, asked.inclusion
    from labelling_wanted asked join labelling_item item on item.id = asked.item_id
    where asked.project_id = %(project)s and FREE and item.id not in (select id from drawn)
    order by asked.kind = 'listed' desc, asked.id desc
    limit greatest(0, least(%(wanted)s, %(count)s - (select count(*) from drawn))) LOCK
),
ranked as (
    select item.id, entry.rank as place, entry.rank,
        (select round_number from labelling_queue where project_id = %(project)s) as round_number,
        entry.suggestion_id, entry.confidence, entry.others, entry.inclusion
    from labelling_queueentry entry join labelling_item item on item.id = entry.item_id
    where entry.project_id = %(project)s
        and entry.generation = (select generation from labelling_queue where project_id = %(project)s)
        and item.split = 'pool' and FREE
        and item.id not in (select id from drawn)
        and not exists (select 1 from labelling_wanted asked where asked.item_id = item.id)
    order by entry.rank
    limit greatest(0, %(count)s - (select count(*) from drawn) - (select count(*) from wanted)) LOCK
),
random as (POOL_UNRANKED),
more as (HOLDOUT_MORE)
select wanted.* from wanted
union all select 'ranked', ranked.* from ranked
union all select 'random', random.* from random
union all select %(blind_source)s, drawn.* from drawn
union all select 'holdout', more.* from more
""",
    BLINDLY_DRAWN=_filled(
        _UNRANKED, SPLIT="%(blind_split)s", TAKEN="select id from nothing", LEFT_OVER="%(blind)s"
    ),
    POOL_UNRANKED=_filled(
        _UNRANKED,
        SPLIT="'pool'",
        TAKEN="select id from ranked union all select id from drawn union all select id from wanted",
        LEFT_OVER=_LEFT_OVER,
    ),
    HOLDOUT_MORE=_filled(
        _UNRANKED,
        SPLIT="'holdout'",
        TAKEN="select id from drawn union all select id from wanted",
        LEFT_OVER=_filled("BEFORE - (select count(*) from random)", BEFORE=_LEFT_OVER),
    ),
    FREE=_FREE,
    LOCK=_LOCK,
)

# TAKE may have seen leases and annotations as they were before it got the lock. This statement begins under
# the lock, without which nobody changes them, so it sees the truth and asks again.
HOLD = _filled(
    """
insert into labelling_lease as lease (id, item_id, slot, project_id, annotator_id, expires_at,
    source, rank, round_number, suggestion_id, confidence, others, inclusion, lists)
select taken.number, item.id, place.slot, item.project_id, %(annotator)s,
    statement_timestamp() + make_interval(secs => %(seconds)s),
    taken.source, taken.rank, taken.round_number, taken.suggestion_id, taken.confidence, taken.others,
    taken.inclusion,
    coalesce((select jsonb_object_agg(offer.question_id, offer.id) from labelling_suggestion offer
        where offer.item_id = item.id and offer.offered and taken.source = 'listed'), '{}')
from unnest(%(numbers)s::bigint[], %(items)s::bigint[], %(sources)s::text[], %(ranks)s::int[],
    %(rounds)s::int[], %(suggestions)s::bigint[], %(confidences)s::float8[],
    %(others)s::jsonb[], %(inclusions)s::float8[])
    as taken (number, item_id, source, rank, round_number, suggestion_id, confidence, others, inclusion)
join labelling_item item on item.id = taken.item_id
cross join lateral (
    select slot from generate_series(0, %(overlap)s - 1) as slot
    where not exists (select 1 from labelling_lease held
        where held.item_id = item.id and held.slot = slot.slot and held.expires_at > statement_timestamp())
    order by slot limit 1
) place
where FREE
on conflict (item_id, slot) do update set
    id = excluded.id, annotator_id = excluded.annotator_id, expires_at = excluded.expires_at,
    source = excluded.source, rank = excluded.rank, round_number = excluded.round_number,
    suggestion_id = excluded.suggestion_id, confidence = excluded.confidence, others = excluded.others,
    inclusion = excluded.inclusion, lists = excluded.lists
    where lease.expires_at <= statement_timestamp()
returning id
""",
    FREE=_FREE,
)

# Lease numbers come first: with the project's seed and the share of blind questions, a number decides where
# its item comes from. And whatever
# the statistics say (after an import there are none), TAKE is to walk along the index in order and stop when
# there is enough, instead of judging every item first.
NUMBERS = """
with walk as materialized (
    select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)
)
select nextval(pg_get_serial_sequence('labelling_lease', 'id')),
    (select blind_share from labelling_queue where project_id = %(project)s)
from generate_series(1, %(count)s), walk
"""

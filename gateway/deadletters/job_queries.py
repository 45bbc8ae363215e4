"""SQL of bulk replays. A job's selection is frozen when it is made; its items are all that is known of its progress."""

from gateway.deadletters.queries import CHOSEN

ADD_JOB = """
    INSERT INTO replay_jobs (id, state, actor, reason, selection, rate)
    VALUES ($1, 'planning', $2, $3, $4, $5)
"""

FREEZE = f"""
    INSERT INTO replay_items (job, position, letter)
    SELECT $11::uuid, row_number() OVER (ORDER BY chosen.created_at, chosen.id), chosen.id
      FROM ({CHOSEN}) AS chosen
"""

_JOB = "id, state, actor, reason, selection, rate, created_at, finished_at"

JOB = f"SELECT {_JOB} FROM replay_jobs WHERE id = $1"

JOBS = f"""
    SELECT {_JOB}
      FROM replay_jobs
     WHERE ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid))
     ORDER BY created_at DESC, id DESC
     LIMIT $3
"""

SET_JOB = """
    UPDATE replay_jobs
       SET state = $2, finished_at = CASE WHEN $2 IN ('done', 'cancelled') THEN now() END
     WHERE id = $1 AND state = ANY($3::text[])
    RETURNING true
"""

TALLY = """
    SELECT predicted, outcome, count(*) AS items
      FROM replay_items
     WHERE job = $1
     GROUP BY predicted, outcome
"""

ITEMS = """
    SELECT position, letter, predicted, outcome, detail, at
      FROM replay_items
     WHERE job = $1 AND position > $2 AND ($3::text IS NULL OR outcome = $3)
     ORDER BY position
     LIMIT $4
"""

NEXT_JOB = """
    SELECT id, rate
      FROM replay_jobs
     WHERE state = $1 AND id <> ALL($2::uuid[])
     ORDER BY created_at, id
     LIMIT 1
"""

IN_STATE = "SELECT EXISTS (SELECT FROM replay_jobs WHERE id = $1 AND state = $2)"

UNPREDICTED = """
    SELECT position, letter
      FROM replay_items
     WHERE job = $1 AND position > $2 AND predicted IS NULL
     ORDER BY position
     LIMIT $3
"""

UNREPLAYED = """
    SELECT position, letter
      FROM replay_items
     WHERE job = $1 AND position > $2 AND outcome IS NULL
     ORDER BY position
     LIMIT $3
"""

PREDICTED = """
    UPDATE replay_items AS item
       SET predicted = said.predicted
      FROM unnest($2::int[], $3::text[]) AS said (position, predicted)
     WHERE item.job = $1 AND item.position = said.position
"""

FINISH_ITEM = """
    UPDATE replay_items
       SET outcome = $3, detail = $4, at = now()
     WHERE job = $1 AND position = $2 AND outcome IS NULL
"""

KINDS_OF_JOB = """
    SELECT DISTINCT letter.fingerprint
      FROM replay_items AS item JOIN dead_letters AS letter ON letter.id = item.letter
     WHERE item.job = $1
"""

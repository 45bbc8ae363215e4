-- What was wrong with a chunk's items, by code: {"<code>": {"items": 12, "skus": ["A-1"]}}, of the skus the first five in
-- order; and what was most frequent in a feed, once it is closed: [{"code": "<code>", "count": 12, "skus": ["A-1"]}].
-- Whoever asks how a feed stands must not have every line of its report counted.
ALTER TABLE feed_chunks ADD COLUMN problem_counts jsonb NOT NULL DEFAULT '{}';
ALTER TABLE feeds ADD COLUMN top_problems jsonb;

UPDATE feed_chunks
   SET problem_counts = (
       SELECT coalesce(jsonb_object_agg(code, jsonb_build_object('items', items, 'skus', skus)), '{}')
         FROM (
              SELECT issue.code, count(*) AS items,
                     coalesce(to_jsonb((array_agg(DISTINCT row ->> 'sku') FILTER (WHERE row ->> 'sku' IS NOT NULL))[1:5]),
                              '[]') AS skus
                FROM jsonb_array_elements(problems) AS row,
                     LATERAL (SELECT DISTINCT each ->> 'code' AS code
                                FROM jsonb_array_elements(row -> 'issues') AS each) AS issue
               GROUP BY 1
              ) AS counted
       )
 WHERE problems <> '[]';

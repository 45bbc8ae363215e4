-- What the last replay was rejected for, of a patch too. `issues` stays what is wrong with what the supplier sent.
ALTER TABLE dead_letters ADD COLUMN replay_issues jsonb;  -- null: the last replay was not rejected, or there was none

-- What was taken with a doubt: items by code, of a chunk and, once it is closed, of its feed.
ALTER TABLE feed_chunks ADD COLUMN warnings jsonb NOT NULL DEFAULT '{}';
ALTER TABLE feeds ADD COLUMN warnings jsonb;

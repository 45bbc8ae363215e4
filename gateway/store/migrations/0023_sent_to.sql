-- Where the last attempt of a command went: the adapter and its address; '' of attempts before this was kept.
ALTER TABLE commands ADD COLUMN sent_to text NOT NULL DEFAULT '';

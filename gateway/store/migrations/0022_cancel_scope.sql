-- Of a cancel, what it cancels: the order, or children of it; null where the command is none, or is of before this column.
ALTER TABLE commands ADD COLUMN scope text CHECK (scope IN ('order', 'children'));

-- What they do is done otherwise now.
DROP TRIGGER reserve;
DROP TRIGGER settle;

-- Until version 3 a run had an owner, and nothing said until when, or when it was to be looked at.
ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'goal' CHECK (kind IN ('goal', 'standing'));
ALTER TABLE runs ADD COLUMN due REAL;
ALTER TABLE runs ADD COLUMN woken REAL;
ALTER TABLE runs ADD COLUMN boot TEXT;
ALTER TABLE runs ADD COLUMN leased REAL;
ALTER TABLE runs ADD COLUMN chapter INTEGER NOT NULL DEFAULT 0;

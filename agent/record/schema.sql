-- The store of an embedded agent. Only the owner of a run writes its journal; everybody may write the inbox.
CREATE TABLE IF NOT EXISTS runs (
  id        TEXT PRIMARY KEY,
  goal      TEXT NOT NULL,
  status    TEXT NOT NULL,
  started   REAL NOT NULL,
  head_seq  INTEGER NOT NULL DEFAULT 0,
  head_hash TEXT NOT NULL DEFAULT '',
  owner     TEXT,                          -- host, pid and start time of the process that drives it
  epoch     INTEGER NOT NULL DEFAULT 0,    -- raised by every claim; older writers are refused
  schema    INTEGER NOT NULL,
  kind      TEXT NOT NULL DEFAULT 'goal' CHECK (kind IN ('goal', 'standing')),
  due       REAL,                          -- epoch seconds at which somebody is to look at it; NULL: when it has a message
  woken     REAL,                          -- the same as others asked for it since it was last claimed
  boot      TEXT,                          -- start of the machine in whose time `leased` is told
  leased    REAL,                          -- until then its owner may go unheard, seconds of `lease_now()`; NULL: for good
  chapter   INTEGER NOT NULL DEFAULT 0     -- after this line its journal says all that a standing goal has to know
);

CREATE INDEX IF NOT EXISTS runs_due ON runs (due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_woken ON runs (woken) WHERE woken IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_owned ON runs (owner) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS journal (
  run  TEXT NOT NULL,
  seq  INTEGER NOT NULL,
  at   REAL NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,                      -- sha256 over the previous hash and this line
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS inbox (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  run    TEXT NOT NULL,
  kind   TEXT NOT NULL,                    -- approve, deny, cancel, amend
  body   TEXT NOT NULL,
  at     REAL NOT NULL,
  dedupe TEXT NOT NULL UNIQUE,
  folded INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS unfolded ON inbox (run) WHERE folded = 0;

-- The ledger. Amounts are integers: micro-USD, GPU milliseconds, trials, tokens. What a reservation does to the
-- accounts it draws on is done here, by triggers, so that no statement can do the one without the other.
CREATE TABLE IF NOT EXISTS account (
  kind     TEXT NOT NULL CHECK (kind IN ('run', 'standing', 'requester', 'month')),
  name     TEXT NOT NULL,
  month    TEXT NOT NULL,                  -- UTC month of its reservations, '2026-03'; '' for a run, which has one account
  resource TEXT NOT NULL CHECK (resource IN ('usd_micro', 'gpu_ms', 'trials', 'tokens')),
  bound    INTEGER NOT NULL DEFAULT 9223372036854775807 CHECK (bound >= 0),   -- the default is "no limit"
  reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  settled  INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
  overrun  INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0),
  told     INTEGER NOT NULL DEFAULT 0,     -- percent of the bound whose crossing a journal has said
  PRIMARY KEY (kind, name, month, resource),
  CONSTRAINT within_bound CHECK (reserved + settled <= bound)                -- the budget law itself
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS draws (         -- the accounts that a run's reservations draw on
  run  TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (run, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS ledger (
  run      TEXT NOT NULL,
  call     TEXT NOT NULL,
  resource TEXT NOT NULL,
  source   TEXT NOT NULL,
  at       REAL NOT NULL,                  -- epoch seconds of the reservation
  month    TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),    -- of that time: the accounts' too
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  settled  INTEGER CHECK (settled BETWEEN 0 AND reserved),    -- NULL while the reservation is open
  overrun  INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0),   -- what a bill had above it
  rate     INTEGER NOT NULL DEFAULT 0 CHECK (rate >= 0),      -- micro-USD an hour while it goes on
  until    REAL,                           -- it goes on until then at the latest; NULL once it is over
  thing    TEXT,                           -- the endpoint that it keeps
  PRIMARY KEY (run, call, resource)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS going_on ON ledger (until) WHERE until IS NOT NULL;

CREATE TRIGGER IF NOT EXISTS reserve_has_an_account BEFORE INSERT ON ledger
WHEN NOT EXISTS (SELECT 1 FROM draws WHERE run = NEW.run AND kind = 'run' AND name = NEW.run)
BEGIN
  SELECT RAISE(ABORT, 'the run has no account');
END;

CREATE TRIGGER IF NOT EXISTS reserved_once BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE (run, call, resource) = (NEW.run, NEW.call, NEW.resource))
BEGIN
  SELECT RAISE(ABORT, 'it is reserved already');
END;

-- The accounts that a row moves are made first and then moved: an upsert takes three times as long here.
CREATE TRIGGER IF NOT EXISTS reserve AFTER INSERT ON ledger
WHEN NEW.reserved > 0 OR NEW.overrun > 0
BEGIN
  INSERT INTO account (kind, name, month, resource)
  SELECT d.kind, d.name, iif(d.kind = 'run', '', NEW.month), NEW.resource
  FROM draws d WHERE d.run = NEW.run
    AND NOT EXISTS (
      SELECT 1 FROM account a WHERE a.kind = d.kind AND a.name = d.name
        AND a.month = iif(d.kind = 'run', '', NEW.month) AND a.resource = NEW.resource
    );
  UPDATE account SET
    reserved = reserved + iif(NEW.settled IS NULL, NEW.reserved, 0),
    settled = settled + ifnull(NEW.settled, 0),
    overrun = min(overrun + NEW.overrun, 9223372036854775807)
  FROM draws d WHERE d.run = NEW.run
    AND account.kind = d.kind AND account.name = d.name
    AND account.month = iif(d.kind = 'run', '', NEW.month) AND account.resource = NEW.resource;
END;

CREATE TRIGGER IF NOT EXISTS settle AFTER UPDATE OF settled ON ledger
WHEN OLD.settled IS NULL AND NEW.settled IS NOT NULL AND (NEW.reserved > 0 OR NEW.overrun > 0)
BEGIN
  INSERT INTO account (kind, name, month, resource)
  SELECT d.kind, d.name, iif(d.kind = 'run', '', NEW.month), NEW.resource
  FROM draws d WHERE d.run = NEW.run
    AND NOT EXISTS (
      SELECT 1 FROM account a WHERE a.kind = d.kind AND a.name = d.name
        AND a.month = iif(d.kind = 'run', '', NEW.month) AND a.resource = NEW.resource
    );
  UPDATE account SET
    reserved = reserved - NEW.reserved,
    settled = settled + NEW.settled,
    overrun = min(overrun + NEW.overrun, 9223372036854775807)
  FROM draws d WHERE d.run = NEW.run
    AND account.kind = d.kind AND account.name = d.name
    AND account.month = iif(d.kind = 'run', '', NEW.month) AND account.resource = NEW.resource;
END;

CREATE TRIGGER IF NOT EXISTS settled_once BEFORE UPDATE ON ledger
WHEN OLD.settled IS NOT NULL AND (OLD.settled, OLD.overrun) IS NOT (NEW.settled, NEW.overrun)
BEGIN
  SELECT RAISE(ABORT, 'it is settled already');
END;

CREATE TRIGGER IF NOT EXISTS reserved_for_good BEFORE UPDATE ON ledger
WHEN (OLD.run, OLD.call, OLD.resource, OLD.source, OLD.at, OLD.month, OLD.reserved)
  IS NOT (NEW.run, NEW.call, NEW.resource, NEW.source, NEW.at, NEW.month, NEW.reserved)
  OR (NEW.settled IS NULL AND NEW.overrun > 0)
BEGIN
  SELECT RAISE(ABORT, 'a reservation does not change');
END;

CREATE TRIGGER IF NOT EXISTS kept_in_the_ledger BEFORE DELETE ON ledger
BEGIN
  SELECT RAISE(ABORT, 'nothing leaves the ledger');
END;

CREATE TRIGGER IF NOT EXISTS kept_in_the_accounts BEFORE DELETE ON account
BEGIN
  SELECT RAISE(ABORT, 'nothing leaves the accounts');
END;

CREATE TRIGGER IF NOT EXISTS draws_for_good BEFORE DELETE ON draws
BEGIN
  SELECT RAISE(ABORT, 'a run draws on its accounts for good');
END;

CREATE TRIGGER IF NOT EXISTS draws_unchanged BEFORE UPDATE ON draws
BEGIN
  SELECT RAISE(ABORT, 'a run draws on its accounts for good');
END;

-- What bills had above their reservations is spent as well: nothing is reserved on top of it.
CREATE TRIGGER IF NOT EXISTS overrun_counts BEFORE UPDATE OF reserved ON account
WHEN NEW.reserved > OLD.reserved AND NEW.overrun > 0 AND NEW.reserved + NEW.settled + NEW.overrun > NEW.bound
BEGIN
  SELECT RAISE(ABORT, 'within_bound');
END;

-- What was said in a conversation, chained like a journal.
CREATE TABLE IF NOT EXISTS turns (
  conversation TEXT NOT NULL,
  seq          INTEGER NOT NULL,
  at           REAL NOT NULL,
  kind         TEXT NOT NULL,
  body         TEXT NOT NULL,
  hash         TEXT NOT NULL,
  PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

-- What finished work took and came to: a view of the journals of runs that have ended.
CREATE TABLE IF NOT EXISTS outcomes (
  run  TEXT NOT NULL,
  call TEXT NOT NULL,
  at   REAL NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (run, call)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS newest_outcomes ON outcomes (at);

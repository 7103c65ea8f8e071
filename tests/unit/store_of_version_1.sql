-- The store of an embedded agent. Only the owner of a run writes its journal; everybody may write the inbox.
-- Money is integer micro-USD. The last constraint is the budget law itself: no statement can break it.
CREATE TABLE IF NOT EXISTS runs (
  id        TEXT PRIMARY KEY,
  goal      TEXT NOT NULL,
  status    TEXT NOT NULL,
  started   REAL NOT NULL,
  head_seq  INTEGER NOT NULL DEFAULT 0,
  head_hash TEXT NOT NULL DEFAULT '',
  owner     TEXT,                          -- pid and start time of the process that drives it
  epoch     INTEGER NOT NULL DEFAULT 0,    -- raised by every claim; older writers are refused
  schema    INTEGER NOT NULL,
  budget    INTEGER CHECK (budget IS NULL OR budget >= 0),
  reserved  INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  settled   INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
  overrun   INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0),
  CHECK (budget IS NULL OR reserved + settled <= budget)
);

CREATE TABLE IF NOT EXISTS journal (
  run  TEXT NOT NULL,
  seq  INTEGER NOT NULL,
  at   REAL NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,                      -- sha256 over the previous hash and this line
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS ledger (
  run      TEXT NOT NULL,
  call     TEXT NOT NULL,
  source   TEXT NOT NULL,
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  settled  INTEGER CHECK (settled IS NULL OR settled >= 0),   -- NULL while the reservation is open
  overrun  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (run, call)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS inbox (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  run    TEXT NOT NULL,
  kind   TEXT NOT NULL,                    -- approve, deny, cancel
  body   TEXT NOT NULL,
  at     REAL NOT NULL,
  dedupe TEXT NOT NULL UNIQUE,
  folded INTEGER NOT NULL DEFAULT 0
);

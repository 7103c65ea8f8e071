-- The store that many workers share, in a schema of its own. The same tables, constraints and names as schema.sql: what
-- SQLite says with triggers and a few functions of its own is said here in PL/pgSQL.
CREATE SCHEMA IF NOT EXISTS goalkeeper;
SET LOCAL search_path TO goalkeeper;

CREATE TABLE version (number INTEGER NOT NULL);

-- Leases are measured by the server's own clock: one for all workers, whatever theirs say.
CREATE FUNCTION lease_now() RETURNS double precision LANGUAGE sql VOLATILE
  AS $$ SELECT extract(epoch FROM clock_timestamp())::double precision $$;
CREATE FUNCTION lease_boot() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'server' $$;

-- What stands at a path such as '$.digests.holdout'. A character that a text cannot hold becomes one that says so.
CREATE FUNCTION json_extract(body text, path text) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT replace(body, '\u0000', '\ufffd')::json #>> string_to_array(substr(path, 3), '.') $$;

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

CREATE TABLE runs (
  id        TEXT PRIMARY KEY,
  goal      TEXT NOT NULL,
  status    TEXT NOT NULL,
  started   DOUBLE PRECISION NOT NULL CHECK (started <> 'NaN'),
  head_seq  BIGINT NOT NULL DEFAULT 0,
  head_hash TEXT NOT NULL DEFAULT '',
  owner     TEXT,
  epoch     BIGINT NOT NULL DEFAULT 0,
  schema    INTEGER NOT NULL,
  kind      TEXT NOT NULL DEFAULT 'goal' CHECK (kind IN ('goal', 'standing')),
  due       DOUBLE PRECISION CHECK (due <> 'NaN'),
  woken     DOUBLE PRECISION CHECK (woken <> 'NaN'),
  boot      TEXT,
  leased    DOUBLE PRECISION CHECK (leased <> 'NaN'),
  chapter   BIGINT NOT NULL DEFAULT 0,
  rowid     BIGINT GENERATED ALWAYS AS IDENTITY
) WITH (fillfactor = 50);                  -- a row that is written anew at every step finds room beside itself

CREATE INDEX runs_due ON runs (due) WHERE due IS NOT NULL;
CREATE INDEX runs_woken ON runs (woken) WHERE woken IS NOT NULL;
CREATE INDEX runs_owned ON runs (owner) WHERE owner IS NOT NULL;

CREATE TABLE journal (
  run  TEXT NOT NULL,
  seq  BIGINT NOT NULL,
  at   DOUBLE PRECISION NOT NULL CHECK (at <> 'NaN'),
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (run, seq)
);

CREATE TABLE inbox (
  id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run    TEXT NOT NULL,
  kind   TEXT NOT NULL,
  body   TEXT NOT NULL,
  at     DOUBLE PRECISION NOT NULL CHECK (at <> 'NaN'),
  dedupe TEXT NOT NULL UNIQUE,
  folded INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX unfolded ON inbox (run) WHERE folded = 0;

CREATE TABLE account (
  kind     TEXT NOT NULL CHECK (kind IN ('run', 'standing', 'requester', 'month')),
  name     TEXT NOT NULL,
  month    TEXT NOT NULL,
  resource TEXT NOT NULL CHECK (resource IN ('usd_micro', 'gpu_ms', 'trials', 'tokens')),
  bound    BIGINT NOT NULL DEFAULT 9223372036854775807 CHECK (bound >= 0),
  reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  settled  BIGINT NOT NULL DEFAULT 0 CHECK (settled >= 0),
  overrun  BIGINT NOT NULL DEFAULT 0 CHECK (overrun >= 0),
  told     INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, name, month, resource),
  CONSTRAINT within_bound CHECK (reserved + settled <= bound)                -- the budget law itself
) WITH (fillfactor = 50);

CREATE TABLE draws (
  run  TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (run, kind, name)
);

CREATE TABLE ledger (
  run      TEXT NOT NULL,
  call     TEXT NOT NULL,
  resource TEXT NOT NULL,
  source   TEXT NOT NULL,
  at       DOUBLE PRECISION NOT NULL CHECK (at <> 'NaN'),
  month    TEXT NOT NULL CHECK (month ~ '^[0-9]{4}-[0-9]{2}$'),
  reserved BIGINT NOT NULL CHECK (reserved >= 0),
  settled  BIGINT CHECK (settled BETWEEN 0 AND reserved),
  overrun  BIGINT NOT NULL DEFAULT 0 CHECK (overrun >= 0),
  rate     BIGINT NOT NULL DEFAULT 0 CHECK (rate >= 0),
  until    DOUBLE PRECISION CHECK (until <> 'NaN'),
  thing    TEXT,
  PRIMARY KEY (run, call, resource)
);

CREATE INDEX going_on ON ledger (until) WHERE until IS NOT NULL;

CREATE FUNCTION has_an_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM goalkeeper.draws WHERE run = NEW.run AND kind = 'run' AND name = NEW.run) THEN
    RAISE EXCEPTION 'the run has no account';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER reserve_has_an_account BEFORE INSERT ON ledger
  FOR EACH ROW EXECUTE FUNCTION has_an_account();

CREATE FUNCTION reserve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO goalkeeper.account AS a (kind, name, month, resource, reserved, settled, overrun)
  SELECT d.kind, d.name, CASE WHEN d.kind = 'run' THEN '' ELSE NEW.month END, NEW.resource,
         CASE WHEN NEW.settled IS NULL THEN NEW.reserved ELSE 0 END, coalesce(NEW.settled, 0), NEW.overrun
  FROM goalkeeper.draws d WHERE d.run = NEW.run ORDER BY d.kind, d.name
  ON CONFLICT (kind, name, month, resource) DO UPDATE SET
    reserved = a.reserved + excluded.reserved,
    settled = a.settled + excluded.settled,
    overrun = least(a.overrun::numeric + excluded.overrun, 9223372036854775807)::bigint;
  RETURN NULL;
END $$;
CREATE TRIGGER reserve AFTER INSERT ON ledger
  FOR EACH ROW WHEN (NEW.reserved > 0 OR NEW.overrun > 0) EXECUTE FUNCTION reserve();

CREATE FUNCTION settle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO goalkeeper.account AS a (kind, name, month, resource, overrun)
  SELECT d.kind, d.name, CASE WHEN d.kind = 'run' THEN '' ELSE NEW.month END, NEW.resource, NEW.overrun
  FROM goalkeeper.draws d WHERE d.run = NEW.run ORDER BY d.kind, d.name
  ON CONFLICT (kind, name, month, resource) DO UPDATE SET
    reserved = a.reserved - NEW.reserved,
    settled = a.settled + NEW.settled,
    overrun = least(a.overrun::numeric + NEW.overrun, 9223372036854775807)::bigint;
  RETURN NULL;
END $$;
CREATE TRIGGER settle AFTER UPDATE OF settled ON ledger
  FOR EACH ROW
  WHEN (OLD.settled IS NULL AND NEW.settled IS NOT NULL AND (NEW.reserved > 0 OR NEW.overrun > 0))
  EXECUTE FUNCTION settle();

CREATE TRIGGER settled_once BEFORE UPDATE ON ledger
  FOR EACH ROW
  WHEN (OLD.settled IS NOT NULL AND (OLD.settled, OLD.overrun) IS DISTINCT FROM (NEW.settled, NEW.overrun))
  EXECUTE FUNCTION refuse('it is settled already');

CREATE TRIGGER reserved_for_good BEFORE UPDATE ON ledger
  FOR EACH ROW
  WHEN ((OLD.run, OLD.call, OLD.resource, OLD.source, OLD.at, OLD.month, OLD.reserved)
    IS DISTINCT FROM (NEW.run, NEW.call, NEW.resource, NEW.source, NEW.at, NEW.month, NEW.reserved)
    OR (NEW.settled IS NULL AND NEW.overrun > 0))
  EXECUTE FUNCTION refuse('a reservation does not change');

CREATE TRIGGER kept_in_the_ledger BEFORE DELETE ON ledger
  FOR EACH ROW EXECUTE FUNCTION refuse('nothing leaves the ledger');
CREATE TRIGGER kept_in_the_accounts BEFORE DELETE ON account
  FOR EACH ROW EXECUTE FUNCTION refuse('nothing leaves the accounts');
CREATE TRIGGER draws_for_good BEFORE DELETE OR UPDATE ON draws
  FOR EACH ROW EXECUTE FUNCTION refuse('a run draws on its accounts for good');

CREATE TRIGGER ledger_whole BEFORE TRUNCATE ON ledger EXECUTE FUNCTION refuse('nothing leaves the ledger');
CREATE TRIGGER accounts_whole BEFORE TRUNCATE ON account EXECUTE FUNCTION refuse('nothing leaves the accounts');
CREATE TRIGGER draws_whole BEFORE TRUNCATE ON draws EXECUTE FUNCTION refuse('a run draws on its accounts for good');

CREATE TRIGGER overrun_counts BEFORE UPDATE OF reserved ON account
  FOR EACH ROW
  WHEN (NEW.reserved > OLD.reserved AND NEW.overrun > 0
    AND NEW.reserved::numeric + NEW.settled + NEW.overrun > NEW.bound)
  EXECUTE FUNCTION refuse('within_bound');

-- An account is moved by the ledger's own triggers, and by nobody beside them.
CREATE TRIGGER moved_by_the_ledger BEFORE UPDATE OF reserved, settled, overrun ON account
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse('an account moves with the ledger');
CREATE TRIGGER begins_empty BEFORE INSERT ON account
  FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND (NEW.reserved, NEW.settled, NEW.overrun) IS DISTINCT FROM (0, 0, 0))
  EXECUTE FUNCTION refuse('an account moves with the ledger');

CREATE TABLE turns (
  conversation TEXT NOT NULL,
  seq          BIGINT NOT NULL,
  at           DOUBLE PRECISION NOT NULL CHECK (at <> 'NaN'),
  kind         TEXT NOT NULL,
  body         TEXT NOT NULL,
  hash         TEXT NOT NULL,
  PRIMARY KEY (conversation, seq)
);

CREATE TABLE outcomes (
  run  TEXT NOT NULL,
  call TEXT NOT NULL,
  at   DOUBLE PRECISION NOT NULL CHECK (at <> 'NaN'),
  body TEXT NOT NULL,
  PRIMARY KEY (run, call)
);

CREATE INDEX newest_outcomes ON outcomes (at);

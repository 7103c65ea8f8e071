-- The tables of version 1 make room for those of today.
ALTER TABLE runs RENAME TO runs_1;
ALTER TABLE ledger RENAME TO ledger_1;

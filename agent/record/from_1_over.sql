-- What version 1 knew, in the tables of today. It had one account for each run, and told no times of reservations.
INSERT INTO runs (id, goal, status, started, head_seq, head_hash, owner, epoch, schema)
SELECT id, goal, status, started, head_seq, head_hash, owner, epoch, 2 FROM runs_1 ORDER BY rowid;

INSERT INTO draws (run, kind, name)
SELECT id, 'run', id FROM runs_1
UNION ALL SELECT id, 'month', '' FROM runs_1
UNION ALL SELECT id, 'requester', coalesce(json_extract(j.body, '$.owner'), '')
FROM runs_1 LEFT JOIN journal j ON j.run = id AND j.seq = 1;

INSERT INTO account (kind, name, month, resource, bound)
SELECT 'run', id, '', 'usd_micro', budget FROM runs_1 WHERE budget IS NOT NULL;

INSERT INTO ledger (run, call, resource, source, at, month, reserved, settled, overrun)
SELECT l.run, l.call, 'usd_micro', l.source, r.started, strftime('%Y-%m', r.started, 'unixepoch'),
       l.reserved, l.settled, l.overrun
FROM ledger_1 l JOIN runs_1 r ON r.id = l.run;

DROP TABLE ledger_1;
DROP TABLE runs_1;

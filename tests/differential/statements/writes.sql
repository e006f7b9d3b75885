# Writes and calls.
INSERT INTO t (a, b) VALUES (<n>, <t>)
INSERT INTO t (a, b) VALUES (<n>, <t>), (<n>, <t>)
INSERT INTO t (id, a) VALUES (<k>, <n>)
INSERT INTO t (c) VALUES (<k>)
INSERT IGNORE INTO u (id, n) VALUES (<k>, <k>), (<k>, <k>)
INSERT INTO t (c, a) VALUES (<k>, 1) ON DUPLICATE KEY UPDATE a = a + 1, id = LAST_INSERT_ID(id)
INSERT INTO t (a, b) SELECT id, 'sel' FROM u
INSERT INTO t SET b = <t>
INSERT INTO t VALUES ()
INSERT INTO u (id, n, e, l1) VALUES (<k>, <v>, <v>, <v>)
INSERT INTO u (id, d, f, bi) VALUES (<k>, <v>, <v>, <v>)
INSERT INTO u (id, j, z, y) VALUES (<k>, <v>, <v>, <v>)
INSERT INTO u (id, bt, st, tm) VALUES (<k>, <v>, <v>, <v>)
REPLACE INTO u (id, z) VALUES (<k>, <t>)
UPDATE t SET a = a + 1
UPDATE t SET b = <t> WHERE id = <k>
UPDATE t SET b = b
UPDATE t SET id = LAST_INSERT_ID(id) WHERE id = <k>
UPDATE u SET n = <v>, l = <v> WHERE id = <k>
UPDATE t, u SET t.a = 7 WHERE t.id = u.id AND t.id = <k>
DELETE FROM t WHERE id = <k>
DELETE FROM t ORDER BY id DESC LIMIT 1
DELETE FROM t
DELETE FROM child
TRUNCATE TABLE child
INSERT INTO {o}.far VALUES (<k>)
INSERT INTO big VALUES (<k>, REPEAT(<t>, 30000))
INSERT INTO t (b) VALUES (CONCAT(@a, @b))
CALL two(<k>, @o)
CALL w(<k>)
CALL bad()
CALL {s}.two(<n>, @o)

# What only MariaDB has.
INSERT INTO t (a, b) VALUES (<n>, <t>) RETURNING id, b
INSERT INTO t (a) VALUES (<n>), (<n>) RETURNING *
DELETE FROM t WHERE id = <k> RETURNING id
REPLACE INTO t (id, a) VALUES (<k>, <n>) RETURNING *
SELECT @@tx_isolation, @@tx_read_only
SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT "id" FROM t ORDER BY id
SET STATEMENT max_statement_time = 100 FOR SELECT COUNT(*) FROM t
CREATE SEQUENCE IF NOT EXISTS q
SELECT NEXTVAL(q)
SELECT NEXT VALUE FOR q
SELECT LASTVAL(q), PREVIOUS VALUE FOR q
DROP SEQUENCE IF EXISTS q
SELECT SETVAL(q, 20)
VALUES (1, 'a'), (2, 'b')
CREATE OR REPLACE TABLE w<k> (id INT PRIMARY KEY)
SELECT /*M! 1, */ 2 /*!50000 , 3 */
SELECT JSON_DETAILED('{"a":1}')
EXECUTE IMMEDIATE 'SELECT 1, ?' USING 7
BEGIN NOT ATOMIC SELECT 1; INSERT INTO t (a) VALUES (8); SELECT 2; END
SET max_statement_time = 100
SET SESSION idle_transaction_timeout = 100
SELECT VALUE(a) FROM t WHERE id = <k>
SET skip_parallel_replication = 1
SELECT * FROM t FOR SYSTEM_TIME ALL
ANALYZE SELECT nothing
SELECT SQL_NO_CACHE id FROM t ORDER BY id
SELECT JSON_OBJECT('a', <v>), JSON_ARRAY(<v>, <v>)
SET session_track_gtids = OWN_GTID
# With rows in a child, MySQL 9.7 ends itself at times (row0sel.cc), or lets a REPLACE of the parent pass.
INSERT INTO child VALUES (<k>, <k>)
INSERT INTO child VALUES (1, 9999)

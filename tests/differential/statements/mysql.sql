# What only MySQL has.
TABLE t ORDER BY id
VALUES ROW(1, 'a'), ROW(2, 'b')
SELECT * FROM t ORDER BY id FOR SHARE
SELECT * FROM t ORDER BY id FOR UPDATE SKIP LOCKED
SELECT * FROM JSON_TABLE('[1,2]', '$[*]' COLUMNS (x INT PATH '$')) AS jt
SELECT @@transaction_isolation, @@transaction_read_only, @@transaction_read_only
SELECT * FROM t, LATERAL (SELECT t.id + 1 AS x) AS l ORDER BY id
SET max_execution_time = 10000
SET PERSIST max_connections = 10
SET cte_max_recursion_depth = 3
SELECT BIN_TO_UUID(0x11112222333344445555666677778888), ST_AsText(ST_GeomFromText('POINT(1 2)'))
SELECT /*!80000 1, */ 2 /*! , 3 */
SELECT /*+ SET_VAR(sql_mode = 'ANSI_QUOTES') */ @@sql_mode
WITH c AS (SELECT id FROM t) DELETE FROM child WHERE t_id IN (SELECT id FROM c)
EXPLAIN FORMAT=TREE SELECT 1
SELECT STATEMENT_DIGEST_TEXT('SELECT 1')
SELECT GROUPING(a), COUNT(*) FROM t GROUP BY a WITH ROLLUP
LOCK INSTANCE NOW
RESTART NOW
SET RESOURCE GROUP nothing
SET SESSION sql_generate_invisible_primary_key = ON
SET show_create_table_skip_secondary_engine = ON
SET collation_connection = utf8mb4_0900_as_cs
SELECT JSON_OBJECT('a', <v>), JSON_ARRAY(<v>, <v>)
SET session_track_gtids = OWN_GTID
SET session_track_gtids = OFF

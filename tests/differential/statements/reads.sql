# Reads, and a few that are none: functions that write, locks.
SELECT * FROM t ORDER BY id
SELECT * FROM u ORDER BY id
SELECT id, b FROM t WHERE id = <k>
SELECT COUNT(*), SUM(a), MAX(b), AVG(c) FROM t
SELECT a, COUNT(*) FROM t GROUP BY a WITH ROLLUP
SELECT t.id, child.id FROM t LEFT JOIN child ON t_id = t.id ORDER BY 1, 2
SELECT id FROM t UNION SELECT id FROM u ORDER BY id
(SELECT id FROM t ORDER BY id LIMIT 1)
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r
SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) AS r FROM t ORDER BY id
SELECT * FROM v ORDER BY id
SELECT (SELECT MAX(id) FROM t) AS m, EXISTS (SELECT 1 FROM child)
SELECT <v>
SELECT <v> AS `a b`, <v> AS 'c', <v>
SELECT CAST(<v> AS SIGNED), CAST(<v> AS CHAR), CAST(<v> AS DECIMAL(10,2))
SELECT 1/0, 'abc' + 1, CAST('xyz' AS SIGNED)
SELECT <v> = <v>, <v> <=> <v>, <v> LIKE <v>
SELECT HEX(<v>), LENGTH(<v>), CHARSET(<v>), COLLATION(<v>)
SELECT CONCAT(<v>, <v>), UPPER(<t>), REVERSE(<t>), SUBSTRING(<t> FROM 2 FOR 1)
SELECT JSON_EXTRACT(j, '$.a'), JSON_TYPE(j) FROM u WHERE id = 1
SELECT DATABASE(), SCHEMA(), USER(), CURRENT_USER()
SELECT @@sql_mode, @@autocommit, @@time_zone
SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection
SELECT @@group_concat_max_len, @@max_join_size, @@sql_select_limit, @@div_precision_increment, @@sort_buffer_size
SELECT @@lc_time_names, @@foreign_key_checks, @@unique_checks, @@sql_safe_updates, @@lock_wait_timeout
SELECT @@session.sql_mode, @@local.autocommit, @@version_comment LIKE '%', @@max_allowed_packet
SELECT GROUP_CONCAT(b ORDER BY id) FROM t
SELECT REPEAT(<t>, <n>)
SELECT REPEAT('x', 300), REPEAT('y', 70000)
SELECT id FROM t WHERE b = <t> ORDER BY id LIMIT <k>
SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 1
SELECT DISTINCT a FROM t ORDER BY a
SELECT SLEEP(0), BENCHMARK(1, 1+1)
SELECT RAND(<k>) < 2, PI(), 1e10, 1.10, -0.0, .5
SELECT plus1(<k>), {s}.plus1(<k>)
SELECT DATE_FORMAT('2024-05-06', '%W %M'), DAYNAME('2024-05-06')
SELECT CONVERT_TZ('2024-05-06 12:00:00', '+00:00', @@time_zone)
SELECT FROM_UNIXTIME(86400), UNIX_TIMESTAMP('1990-05-05 01:02:03')
SELECT NULL, TRUE, FALSE
SELECT 1 LIMIT 0
SELECT * FROM t WHERE id IN (1, <k>, <n>) ORDER BY id
SELECT /*+ MAX_EXECUTION_TIME(10000) */ id FROM t ORDER BY id
SELECT /* a comment */ 1 -- and another
SELECT "a", 'b' "c"
SELECT 'it''s', 'back\\slash', "dou""ble"
SELECT t.* FROM {s}.t ORDER BY id DESC
SELECT * FROM {o}.far ORDER BY id
SELECT id, l FROM big ORDER BY id
DESCRIBE t
SHOW COLUMNS FROM u
SHOW TABLES
SHOW CREATE TABLE u
SHOW CREATE PROCEDURE two
SHOW DATABASES LIKE '{s}%'
SHOW VARIABLES LIKE 'sql_mode'
SHOW VARIABLES LIKE 'character\_set\_c%'
SHOW COLLATION LIKE 'latin1%'
SHOW CHARACTER SET LIKE 'utf8%'
EXPLAIN SELECT 1
SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '{s}' AND table_name = 't' ORDER BY 1
DO 1
DO <v>
SELECT id FROM t WHERE id = <k> FOR UPDATE
SELECT id FROM t ORDER BY id LOCK IN SHARE MODE
SELECT * FROM vw
SELECT writes(<k>)
SELECT CONNECTION_ID() = CONNECTION_ID()

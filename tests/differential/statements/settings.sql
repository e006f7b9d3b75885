# What a session carries: variables, schema, temporary tables, locks, text PREPARE, HANDLER.
SET sql_mode = ''
SET sql_mode = 'ANSI_QUOTES'
SET sql_mode = 'NO_BACKSLASH_ESCAPES'
SET sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE'
SET sql_mode = DEFAULT
SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')
SET SESSION sql_mode = 'ANSI', time_zone = '+02:00'
SET time_zone = '+05:30'
SET time_zone = 'SYSTEM'
SET NAMES utf8mb4
SET NAMES latin1
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET NAMES 'latin1' COLLATE 'latin1_german1_ci'
SET NAMES DEFAULT
SET CHARACTER SET latin1
SET CHARACTER SET utf8mb4
SET character_set_results = NULL
SET character_set_results = cp850
SET character_set_client = latin1
SET collation_connection = utf8mb4_bin
SET character_set_connection = latin1
SET NAMES gbk
SET NAMES sjis
SET group_concat_max_len = 4
SET SESSION group_concat_max_len = DEFAULT
SET sql_select_limit = 2
SET sql_select_limit = DEFAULT
SET max_join_size = 100000
SET div_precision_increment = <k>
SET lc_time_names = 'de_DE'
SET foreign_key_checks = 0
SET foreign_key_checks = 1
SET sql_safe_updates = 1
SET sql_safe_updates = 0
SET sql_notes = 0
SET sql_notes = 1
SET sql_auto_is_null = 1
SET auto_increment_increment = 5
SET auto_increment_increment = 1
SET max_error_count = 1
SET max_error_count = 64
SET sql_warnings = 1
SET innodb_lock_wait_timeout = 7
SET lock_wait_timeout = 9
SET sort_buffer_size = 65536
SET timestamp = 1700000000
SET timestamp = DEFAULT
SET insert_id = 50
SET last_insert_id = 77
SET @a = 1
SET @a = <v>, @b = <v>
SET @a := <v>
SET @a = NULL
SET @b = (SELECT MAX(id) FROM t)
SET @a = 'x', sql_select_limit = 3
SET @a = @a + 1
SELECT @a, @b
SELECT @a := <n>
SELECT id INTO @b FROM t ORDER BY id LIMIT 1
DO @a := 5
SELECT @never
USE {s}
USE {o}
USE {s}
CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, b VARCHAR(9))
CREATE TEMPORARY TABLE t (id INT)
INSERT INTO tmp VALUES (<k>, 'x')
SELECT * FROM tmp ORDER BY id
DROP TEMPORARY TABLE IF EXISTS tmp
DROP TEMPORARY TABLE t
DROP TABLE tmp
LOCK TABLES t WRITE, child WRITE
LOCK TABLES t READ, u WRITE
UNLOCK TABLES
SELECT GET_LOCK('{s}', 0)
SELECT RELEASE_LOCK('{s}')
SELECT IS_FREE_LOCK('{s}'), IS_USED_LOCK('{s}') IS NULL
SELECT RELEASE_ALL_LOCKS()
DO GET_LOCK('{s}x', 0)
HANDLER t OPEN
HANDLER t READ FIRST
HANDLER t READ NEXT
HANDLER t CLOSE
SET ROLE NONE
PREPARE s1 FROM 'SELECT ? + 1, id FROM t ORDER BY id LIMIT 2'
PREPARE s2 FROM 'INSERT INTO t (a, b) VALUES (?, ?)'
PREPARE s3 FROM 'SELEC'
SET @x = <n>, @y = <t>
EXECUTE s1 USING @x
EXECUTE s2 USING @x, @y
EXECUTE s1
DEALLOCATE PREPARE s1
SELECT NOW(), UNIX_TIMESTAMP() > 0 FROM t WHERE id = -1
FLUSH TABLES nothing
SET profiling = 0
SHOW SESSION VARIABLES LIKE 'sql_select%'
SELECT @@timestamp > 0, @@insert_id
SET session_track_state_change = <j>
SET SESSION session_track_schema = <j>

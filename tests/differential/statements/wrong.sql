# What servers refuse.
SELEC 1
SELECT * FROM nothing
SELECT nothing FROM t
SELECT * FROM nowhere.t
SELECT nofunction(1)
SELECT nowhere.nofunction(1)
INSERT INTO t (id) VALUES (1)
INSERT INTO u (id, n) VALUES (9, 5000)
SELECT (SELECT id FROM t)
SELECT 1,
SELECT 'open
SELECT POW(10, 400)
SELECT 9223372036854775807 + 1
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'mine', MYSQL_ERRNO = 31001
SIGNAL SQLSTATE '01000'
CALL nothing()
CALL two(1)
USE nowhere
SET sql_mode = 'NOTHING'
SET NAMES nothing
SET nothing = 1
SET GLOBAL max_connections = 10
EXECUTE nothing
ROLLBACK TO nothing
INSERT INTO t (a) VALUES (<v>)
SELECT CONVERT(<v> USING nothing)
DROP DATABASE nowhere
DROP USER nobody@nowhere
GRANT ALL ON *.* TO nobody@nowhere
KILL 0
SELECT JSON_EXTRACT('{', '$')
UPDATE t SET nothing = 1
LOAD DATA INFILE '/nothing' INTO TABLE t
SELECT 1 INTO OUTFILE '/nothing/x'
XA COMMIT 'nothing'
HANDLER nothing READ FIRST
DEALLOCATE PREPARE nothing
SELECT * FROM t WHERE MATCH (b) AGAINST ('x')
SELECT a FROM t GROUP BY b
SELECT @@nothing
SELECT @@global.nothing
;
-- nothing

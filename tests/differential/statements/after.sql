# What speaks of the statement before.
SELECT LAST_INSERT_ID()
SELECT ROW_COUNT()
SELECT @@identity, @@last_insert_id
SELECT @o
SELECT LAST_INSERT_ID(<n>)
INSERT INTO t (a) VALUES (LAST_INSERT_ID())
INSERT INTO t (a) SELECT ROW_COUNT()

# What speaks of the conditions of the statement before. Not behind a SELECT without a table: it leaves them.
SHOW WARNINGS
SHOW ERRORS
SHOW WARNINGS LIMIT 1
SHOW COUNT(*) WARNINGS
SHOW COUNT(*) ERRORS
SELECT @@warning_count, @@error_count
GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT
GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT, @c = MYSQL_ERRNO, @q = RETURNED_SQLSTATE

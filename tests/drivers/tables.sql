CREATE TABLE kinds (
    id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
    tiny TINYINT, small SMALLINT, medium MEDIUMINT, big BIGINT, big_unsigned BIGINT UNSIGNED,
    price DECIMAL(30, 10), single FLOAT, twice DOUBLE, bits BIT(10),
    day DATE, span TIME(6), moment DATETIME(6), stamp TIMESTAMP NULL, year YEAR,
    fixed CHAR(10), varied VARCHAR(100), long_text TEXT,
    bin BINARY(4), varied_bin VARBINARY(20), blob_ BLOB,
    one_of ENUM('a', 'b'), some_of SET('x', 'y', 'z'), document JSON
) DEFAULT CHARSET = utf8mb4

CREATE TABLE items (
    id INT AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(20) UNIQUE,
    amount INT NOT NULL DEFAULT 0
) DEFAULT CHARSET = utf8mb4

CREATE TABLE children (id INT PRIMARY KEY, item INT, CONSTRAINT parent FOREIGN KEY (item) REFERENCES items (id))

CREATE TABLE bulk (n INT PRIMARY KEY, word VARCHAR(40)) DEFAULT CHARSET = utf8mb4

CREATE TABLE loaded (n INT, word VARCHAR(40)) DEFAULT CHARSET = utf8mb4

CREATE TABLE files (id INT PRIMARY KEY, content LONGBLOB)

CREATE PROCEDURE add_up (IN a INT, IN b INT, OUT total INT, OUT words VARCHAR(20))
BEGIN
    SET total = a + b;
    SET words = CONCAT('sum ', total);
END

CREATE PROCEDURE two_results (IN low INT)
BEGIN
    SELECT low AS one, 'é' AS word;
    SELECT low + 1 AS two UNION SELECT low + 2;
END

CREATE PROCEDURE refuse ()
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused: é', MYSQL_ERRNO = 30001

CREATE FUNCTION twice (a INT) RETURNS INT DETERMINISTIC RETURN 2 * a

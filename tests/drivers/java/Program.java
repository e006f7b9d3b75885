// The program of MariaDB Connector/J: the steps of ../steps.py with JDBC.
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

public class Program {
    static final String SCHEMA = env("SCHEMA");
    static final boolean MARIADB = env("FLAVOR").equals("mariadb");
    static final String COLUMNS =
            "tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, "
                    + "fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document";
    static final String CHARSETS =
            "SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, "
                    + "@@collation_connection";
    static final String PORTIONS = "SELECT b.n, a.n FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n";
    static final String COUNT = "SELECT COUNT(*) FROM items";
    // What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
    static final String COMMITTED = "SELECT COUNT(*) FROM items WHERE name = 'committed'";

    static class Absent extends RuntimeException {
        Absent(String why) {
            super(why);
        }
    }

    static String env(String name) {
        return System.getenv("DRIVERS_" + name);
    }

    static Connection connect(String... options) throws SQLException {
        return connectTo(SCHEMA, env("PASSWORD"), options);
    }

    static Connection connectTo(String schema, String password, String... options) throws SQLException {
        String url = "jdbc:mariadb://" + env("HOST") + ":" + env("PORT") + "/" + schema
                + "?allowPublicKeyRetrieval=true&useAffectedRows=true&allowLocalInfile=true&" + String.join("&", options);
        return DriverManager.getConnection(url, env("USER"), password);
    }

    // -- what was seen, as JSON

    static void say(Object... pairs) {
        Map<String, Object> line = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            line.put((String) pairs[i], pairs[i + 1]);
        }
        System.out.println(json(line));
    }

    static String json(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Integer || value instanceof Long
                || value instanceof Double || value instanceof Short) {
            return String.valueOf(value);
        }
        if (value instanceof byte[] bytes) {
            return json("0x" + HexFormat.of().formatHex(bytes));
        }
        if (value instanceof List<?> list) {
            List<String> items = new ArrayList<>();
            list.forEach(item -> items.add(json(item)));
            return "[" + String.join(", ", items) + "]";
        }
        if (value instanceof Map<?, ?> map) {
            List<String> items = new ArrayList<>();
            map.forEach((name, item) -> items.add(json(name) + ": " + json(item)));
            return "{" + String.join(", ", items) + "}";
        }
        String text = value instanceof String ? (String) value : value.getClass().getSimpleName() + " " + value;
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            out.append(c < 32 || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        }
        return out.append('"').toString();
    }

    static List<Object> list(Object... items) {
        List<Object> all = new ArrayList<>();
        for (Object item : items) {
            all.add(item);
        }
        return all;
    }

    static Map<String, Object> failure(SQLException error) {
        Map<String, Object> seen = new LinkedHashMap<>();
        seen.put("number", error.getErrorCode());
        seen.put("sqlstate", error.getSQLState());
        seen.put("message", error.getMessage().replaceFirst("^.*\\(conn=\\d+\\) ", ""));
        return seen;
    }

    static void step(String name, Callable<Object> take) {
        try {
            say("step", name, "saw", take.call());
        } catch (Absent why) {
            say("step", name, "absent", why.getMessage());
        } catch (Exception error) {
            say("step", name, "saw", Map.of("unexpected", String.valueOf(error)));
        }
    }

    // -- asking

    static List<Object> rows(ResultSet result) throws SQLException {
        List<Object> seen = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int i = 1; i <= columns; i++) {
                row.add(result.getObject(i));
            }
            seen.add(row);
        }
        return seen;
    }

    static Object ask(Connection on, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = on.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            return statement.execute() ? rows(statement.getResultSet()) : (Object) statement.getUpdateCount();
        }
    }

    static Object fails(Callable<Object> take) throws Exception {
        try {
            return Map.of("unexpected", json(take.call()));
        } catch (SQLException error) {
            return failure(error);
        }
    }

    static Object several(Statement statement, boolean isResult) throws SQLException {
        List<Object> seen = new ArrayList<>();
        int count = isResult ? 0 : statement.getUpdateCount();
        while (isResult || count != -1) {
            seen.add(isResult ? rows(statement.getResultSet()) : count);
            isResult = statement.getMoreResults();
            count = isResult ? 0 : statement.getUpdateCount();
        }
        return seen;
    }

    static Object[] row() {
        byte[] all = new byte[256];
        for (int i = 0; i < 256; i++) {
            all[i] = (byte) i;
        }
        return new Object[] {
            -128, -32768, -8388608, Long.MIN_VALUE, new BigDecimal("18446744073709551615"),
            new BigDecimal("12345678901234567890.0123456789"), 1.5f, -2.25e100, new byte[] {2, 5}, "2024-02-29",
            "-12:34:56.789012", "2024-02-29 23:59:59.123456", "2024-02-29 12:00:00", 2024, "fixed", "naïve 🐬",
            "a longer text\nof two lines", new byte[] {0, -1, '\'', '\\'}, new byte[] {0, 1}, all, "b", "x,z",
            "{\"a\": [1, \"é\", null]}",
        };
    }

    public static void main(String[] arguments) throws Exception {
        Connection db = connect();
        DatabaseMetaData about = db.getMetaData();
        say("driver", about.getDriverName(), "version", about.getDriverVersion());

        step("connect.plain", () -> ask(db, CHARSETS));
        step("connect.socket", () -> {
            String url = "jdbc:mariadb://localhost/" + SCHEMA + "?allowPublicKeyRetrieval=true&localSocket=";
            try (Connection local = DriverManager.getConnection(url + env("SOCKET"), env("USER"), env("PASSWORD"))) {
                return ask(local, "SELECT DATABASE(), USER() LIKE 'app@%'");
            }
        });
        step("connect.wrong_password", () -> fails(() -> connectTo(SCHEMA, "wrong")));
        step("connect.unknown_schema", () -> fails(() -> connectTo("nowhere_at_all", env("PASSWORD"))));
        step("connect.version", () -> list(
                about.getDatabaseProductName(), about.getDatabaseProductVersion(), about.getDatabaseMajorVersion()));
        step("connect.tls", () -> {
            try (Connection secure = connect("useSsl=true", "trustServerCertificate=true")) {
                return ask(secure, "SELECT 1");
            }
        });

        Object[] nulls = new Object[row().length];
        String insert = "INSERT INTO kinds (" + COLUMNS + ") VALUES (?" + ", ?".repeat(nulls.length - 1) + ")";
        String read = "SELECT " + COLUMNS + " FROM kinds WHERE id = ?";
        step("text.tables", () -> {
            List<Object> seen = new ArrayList<>();
            for (String sql : Files.readString(Path.of(env("TABLES"))).strip().split("\n\n")) {
                try (Statement statement = db.createStatement()) {
                    seen.add(statement.executeUpdate(sql));
                }
            }
            return seen;
        });
        step("text.insert", () -> ask(db, insert, row()));
        step("text.types", () -> ask(db, read, 1));
        step("text.nulls", () -> list(ask(db, insert, nulls), ask(db, read, 2)));
        step("text.columns", () -> {
            try (Statement statement = db.createStatement();
                    ResultSet result = statement.executeQuery("SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1")) {
                ResultSetMetaData meta = result.getMetaData();
                List<Object> seen = new ArrayList<>();
                for (int i = 1; i <= meta.getColumnCount(); i++) {
                    seen.add(list(meta.getColumnLabel(i), meta.getTableName(i), meta.getColumnTypeName(i),
                            meta.getColumnClassName(i), meta.getPrecision(i), meta.getScale(i), meta.isNullable(i),
                            meta.isAutoIncrement(i), meta.isSigned(i)));
                }
                return seen;
            }
        });
        step("text.empty", () -> list(
                ask(db, "SELECT id FROM kinds WHERE id = 99"), ask(db, "UPDATE kinds SET tiny = 1 WHERE id = 99")));
        step("text.literals", () -> ask(
                db, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?", "'", "\"", "\\", "%", "\\'; -- ", "🐬", "\0\u001a\n", "`", ""));

        // The same API, prepared by the server.
        Connection binary = connect("useServerPrepStmts=true");
        step("prepared.insert", () -> ask(binary, insert, row()));
        step("prepared.types", () -> ask(binary, read, 3));
        step("prepared.nulls", () -> list(ask(binary, insert, nulls), ask(binary, read, 4)));
        step("prepared.again", () -> {
            List<Object> seen = new ArrayList<>();
            try (PreparedStatement statement =
                    binary.prepareStatement("SELECT ?, ? * 2, id FROM kinds WHERE id = 1")) {
                for (Object[] pair : new Object[][] {{1, 2}, {3, 4}, {5, 1}, {null, 2}}) {
                    statement.setObject(1, pair[0]);
                    statement.setObject(2, pair[1]);
                    seen.add(rows(statement.executeQuery()));
                }
            }
            return seen;
        });
        step("prepared.errors", () -> fails(() -> ask(binary, "INSERT INTO kinds (id) VALUES (?)", 1)));
        binary.close();

        step("bulk.insert", () -> {
            try (PreparedStatement statement = db.prepareStatement("INSERT INTO bulk (n, word) VALUES (?, ?)")) {
                for (int n = 0; n < 1000; n++) {
                    statement.setInt(1, n);
                    statement.setString(2, "wört 🐬 " + n);
                    statement.addBatch();
                }
                return list(statement.executeBatch().length, ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM bulk"));
            }
        });
        step("bulk.blob", () -> {
            byte[] blob = new byte[1 << 20];
            for (int i = 0; i < blob.length; i++) {
                blob[i] = (byte) i;
            }
            Object affected = ask(db, "INSERT INTO files VALUES (1, ?)", blob);
            try (Statement statement = db.createStatement();
                    ResultSet result = statement.executeQuery("SELECT content FROM files WHERE id = 1")) {
                result.next();
                byte[] back = result.getBytes(1);
                return list(affected, back.length, MessageDigest.getInstance("MD5").digest(back));
            }
        });

        step("counts.insert_id", () -> {
            try (Statement statement = db.createStatement()) {
                int affected = statement.executeUpdate(
                        "INSERT INTO items (name) VALUES ('one'), ('two'), ('three')", Statement.RETURN_GENERATED_KEYS);
                return list(affected, rows(statement.getGeneratedKeys()));
            }
        });
        step("counts.last_insert_id", () -> ask(db, "SELECT LAST_INSERT_ID()"));
        step("counts.changed", () -> list(
                ask(db, "UPDATE items SET amount = 0 WHERE id = 1"), ask(db, "UPDATE items SET amount = 5 WHERE id = 1")));
        step("counts.found", () -> {
            try (Connection counting = connect("useAffectedRows=false")) {
                return ask(counting, "UPDATE items SET amount = 5 WHERE id = 1");
            }
        });
        step("counts.upsert", () -> ask(
                db, "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7"));
        step("counts.row_count", () -> list(
                ask(db, "UPDATE items SET amount = amount + 1"), ask(db, "SELECT ROW_COUNT()")));

        step("transaction.commit", () -> {
            try (Connection witness = connect()) {
                db.setAutoCommit(false);
                Object inserted = ask(db, "INSERT INTO items (name) VALUES ('committed')");
                Object before = ask(witness, COMMITTED);
                db.commit();
                db.setAutoCommit(true);
                return list(inserted, before, ask(witness, COMMITTED + " LOCK IN SHARE MODE"));
            }
        });
        step("transaction.rollback", () -> {
            db.setAutoCommit(false);
            ask(db, "INSERT INTO items (name) VALUES ('gone')");
            Object inside = ask(db, COUNT);
            db.rollback();
            db.setAutoCommit(true);
            return list(inside, ask(db, COUNT));
        });
        step("transaction.savepoint", () -> {
            db.setAutoCommit(false);
            ask(db, "INSERT INTO items (name) VALUES ('kept')");
            Savepoint here = db.setSavepoint("here");
            ask(db, "INSERT INTO items (name) VALUES ('undone')");
            Object inside = ask(db, COUNT);
            db.rollback(here);
            db.commit();
            db.setAutoCommit(true);
            return list(inside, ask(db, COUNT));
        });
        step("transaction.autocommit_off", () -> {
            db.setAutoCommit(false);
            ask(db, "INSERT INTO items (name) VALUES ('unfinished')");
            Object inside = ask(db, COUNT);
            db.rollback();
            Object outside = ask(db, COUNT);
            db.commit();
            db.setAutoCommit(true);
            return list(inside, outside, ask(db, "SELECT @@autocommit"));
        });
        step("transaction.isolation", () -> {
            String name = MARIADB ? "@@tx_isolation" : "@@transaction_isolation";
            db.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
            Object one = list(db.getTransactionIsolation(), ask(db, "SELECT " + name));
            db.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            return list(one, db.getTransactionIsolation(), ask(db, "SELECT " + name));
        });
        step("transaction.read_only", () -> {
            ask(db, "START TRANSACTION READ ONLY");
            Object seen = fails(() -> ask(db, "INSERT INTO items (name) VALUES ('refused')"));
            ask(db, "ROLLBACK");
            return seen;
        });
        step("transaction.read_only_reads", () -> {
            db.setReadOnly(true);
            db.setAutoCommit(false);
            Object seen = list(ask(db, COUNT), ask(db, "SELECT MAX(id) FROM items"));
            db.commit();
            db.setAutoCommit(true);
            db.setReadOnly(false);
            return seen;
        });

        for (String[] error : new String[][] {
            {"error.duplicate", "INSERT INTO items (name) VALUES ('one')"},
            {"error.syntax", "SELEKT 'é' FROM items"},
            {"error.unknown_table", "SELECT * FROM nowhere WHERE a = 1"},
            {"error.foreign_key", "INSERT INTO children VALUES (1, 999)"},
            {"error.too_long", "INSERT INTO items (name) VALUES (REPEAT('é', 30))"},
            {"error.signal", "CALL refuse()"},
        }) {
            step(error[0], () -> fails(() -> ask(db, error[1])));
        }
        step("error.locked", () -> {
            try (Connection holder = connect()) {
                holder.setAutoCommit(false);
                ask(holder, "SELECT id FROM items WHERE id = 1 FOR UPDATE");
                Object seen = fails(() -> ask(db, "SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT"));
                holder.rollback();
                return seen;
            }
        });
        ExecutorService threads = Executors.newFixedThreadPool(4);
        step("error.deadlock", () -> {
            try (Connection heavy = connect(); Connection light = connect()) {
                heavy.setAutoCommit(false);
                ask(heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500");
                light.setAutoCommit(false);
                ask(light, "UPDATE items SET amount = 50 WHERE id = 1");
                Future<Object> won = threads.submit(() -> ask(heavy, "UPDATE items SET amount = 60 WHERE id = 1"));
                Object seen = fails(() -> ask(light, "UPDATE bulk SET word = 'light' WHERE n = 1"));
                Object affected = won.get();
                heavy.rollback();
                light.rollback();
                return list(seen, affected);
            }
        });
        step("error.after", () -> ask(db, "SELECT 1"));

        step("warning.write", () -> {
            try (Statement statement = db.createStatement()) {
                int affected = statement.executeUpdate("INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))");
                return list(affected, failure(statement.getWarnings()));
            }
        });
        step("warning.read", () -> {
            try (Statement statement = db.createStatement()) {
                Object seen = rows(statement.executeQuery("SELECT CAST('12x' AS SIGNED)"));
                return list(seen, failure(statement.getWarnings()));
            }
        });

        step("routine.out", () -> {
            try (CallableStatement call = db.prepareCall("{CALL add_up(?, ?, ?, ?)}")) {
                call.setInt(1, 2);
                call.setInt(2, 3);
                call.registerOutParameter(3, Types.INTEGER);
                call.registerOutParameter(4, Types.VARCHAR);
                call.execute();
                return list(call.getInt(3), call.getString(4));
            }
        });
        step("routine.results", () -> {
            try (CallableStatement call = db.prepareCall("{CALL two_results(?)}")) {
                call.setInt(1, 7);
                return several(call, call.execute());
            }
        });
        step("routine.function", () -> ask(db, "SELECT twice(21)"));
        step("routine.statements", () -> {
            try (Connection many = connect("allowMultiQueries=true"); Statement statement = many.createStatement()) {
                return several(statement, statement.execute(
                        "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2"));
            }
        });

        step("stream.rows", () -> {
            try (Statement statement =
                    db.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
                statement.setFetchSize(100);
                long count = 0;
                long sum = 0;
                try (ResultSet result = statement.executeQuery(PORTIONS)) {
                    while (result.next()) {
                        count += 1;
                        sum += result.getLong(1) + result.getLong(2);
                    }
                }
                return list(count, sum);
            }
        });
        step("stream.cursor", () -> {
            throw new Absent("the driver has no server-side cursors");
        });
        step("infile.load", () -> list(
                ask(db, "LOAD DATA LOCAL INFILE '" + env("INFILE") + "' INTO TABLE loaded CHARACTER SET utf8mb4"),
                ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM loaded")));

        step("session.use", () -> {
            db.setCatalog(env("OTHER"));
            List<Object> seen = list(ask(db, "SELECT DATABASE()"), fails(() -> ask(db, "SELECT * FROM items")));
            db.setCatalog(SCHEMA);
            seen.add(ask(db, "SELECT DATABASE()"));
            seen.add(ask(db, "SELECT COUNT(*) > 0 FROM items"));
            return seen;
        });
        step("session.variables", () -> {
            ask(db, "SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'");
            Object seen = ask(db, "SELECT @mine, @@sql_mode, @@time_zone, \"id\" FROM items WHERE id = 1");
            ask(db, "SET sql_mode = DEFAULT, time_zone = DEFAULT");
            return seen;
        });
        step("session.temporary", () -> {
            ask(db, "CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3");
            Object seen = ask(db, "SELECT COUNT(*) FROM mine");
            ask(db, "DROP TEMPORARY TABLE mine");
            return list(seen, fails(() -> ask(db, "SELECT COUNT(*) FROM mine")));
        });
        String lock = SCHEMA + "_lock";
        step("session.lock", () -> list(
                ask(db, "SELECT GET_LOCK(?, 5)", lock),
                ask(db, "SELECT IS_USED_LOCK(?) = CONNECTION_ID()", lock),
                ask(db, "SELECT RELEASE_LOCK(?)", lock)));
        step("session.ping", () -> db.isValid(10));
        step("session.reset", () -> {
            throw new Absent("the driver sends COM_RESET_CONNECTION only from its pool");
        });
        step("session.change_user", () -> {
            throw new Absent("the driver does not send COM_CHANGE_USER");
        });

        step("session.killed", () -> {
            Connection victim = connect();
            List<?> id = (List<?>) ask(victim, "SELECT CONNECTION_ID()");
            ask(db, "KILL " + ((List<?>) id.get(0)).get(0));
            for (long deadline = System.nanoTime() + 20_000_000_000L; System.nanoTime() < deadline; ) {
                try {
                    ask(victim, "SELECT 1");
                } catch (SQLException lost) {
                    return "lost";
                }
            }
            return "alive";
        });
        step("session.reconnect", () -> {
            try (Connection again = connect()) {
                return list(ask(again, "SELECT DATABASE()"), ask(again, "INSERT INTO items (name) VALUES ('again')"));
            }
        });
        step("session.cancel", () -> {
            try (Connection sleeper = connect(); Statement statement = sleeper.createStatement()) {
                Future<Object> slept = threads.submit(() -> {
                    try {
                        return rows(statement.executeQuery("SELECT SLEEP(30)"));
                    } catch (SQLException error) {
                        return failure(error);
                    }
                });
                while (true) {
                    statement.cancel(); // the driver's: KILL QUERY from a connection of its own
                    try {
                        return slept.get(50, TimeUnit.MILLISECONDS);
                    } catch (TimeoutException running) {
                        continue;
                    }
                }
            }
        });

        step("pool.four", () -> {
            List<Future<Object>> all = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                int mine = n;
                all.add(threads.submit(() -> {
                    try (Connection one = connect()) {
                        for (int row = 0; row < 5; row++) {
                            ask(one, "INSERT INTO items (name, amount) VALUES (?, ?)", "w" + mine + "-" + row, mine);
                        }
                        return ask(one, "SELECT COUNT(*) FROM items WHERE name LIKE ?", "w" + mine + "-%");
                    }
                }));
            }
            List<Object> seen = new ArrayList<>();
            for (Future<Object> one : all) {
                seen.add(one.get());
            }
            return seen;
        });
        step("pool.reads", () -> {
            try (Connection reader = connect()) {
                Object seen = null;
                for (int n = 0; n < 40; n++) {
                    seen = ask(reader, "SELECT COUNT(*) >= 0 FROM bulk /* " + env("MARKER") + " */");
                }
                return seen;
            }
        });
        threads.shutdown();
        db.close();
    }
}

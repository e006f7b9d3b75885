// The program of go-sql-driver/mysql: the steps of ../steps.py with database/sql.
package main

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
)

var (
	ctx    = context.Background()
	schema = os.Getenv("DRIVERS_SCHEMA")
	out    = json.NewEncoder(os.Stdout)
)

type absent string // why the driver has no such thing

// A user of the driver would write this with the `mysql.Config` that the documentation recommends.
func open(change func(*mysql.Config)) *sql.DB {
	config := mysql.NewConfig()
	config.User = os.Getenv("DRIVERS_USER")
	config.Passwd = os.Getenv("DRIVERS_PASSWORD")
	config.Net = "tcp"
	config.Addr = os.Getenv("DRIVERS_HOST") + ":" + os.Getenv("DRIVERS_PORT")
	config.DBName = schema
	config.Collation = "utf8mb4_general_ci"
	config.InterpolateParams = true // text: without it every query with parameters is prepared
	if change != nil {
		change(config)
	}
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		panic(err)
	}
	return db
}

func connect(change func(*mysql.Config)) *sql.Conn {
	conn, err := open(change).Conn(ctx)
	if err != nil {
		panic(err)
	}
	return conn
}

func step(name string, take func() interface{}) {
	defer func() {
		if failure := recover(); failure != nil {
			say(map[string]interface{}{"step": name, "saw": map[string]string{"unexpected": fmt.Sprint(failure)}})
		}
	}()
	saw := take()
	if why, is := saw.(absent); is {
		say(map[string]interface{}{"step": name, "absent": string(why)})
		return
	}
	say(map[string]interface{}{"step": name, "saw": saw})
}

func say(line interface{}) {
	if err := out.Encode(line); err != nil {
		panic(err)
	}
}

func plain(value interface{}) interface{} {
	switch v := value.(type) {
	case []byte:
		if utf8.Valid(v) && !strings.ContainsRune(string(v), 0) {
			return string(v)
		}
		return "0x" + hex.EncodeToString(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return value
}

func failure(err error) interface{} {
	if my, is := err.(*mysql.MySQLError); is {
		return map[string]interface{}{"number": my.Number, "sqlstate": nil, "message": my.Message}
	}
	return map[string]interface{}{"unexpected": fmt.Sprint(err)}
}

type session interface {
	QueryContext(context.Context, string, ...interface{}) (*sql.Rows, error)
	ExecContext(context.Context, string, ...interface{}) (sql.Result, error)
}

func read(rows *sql.Rows) [][]interface{} {
	columns, _ := rows.Columns()
	seen := [][]interface{}{}
	for rows.Next() {
		values, into := make([]interface{}, len(columns)), make([]interface{}, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			panic(err)
		}
		for i := range values {
			values[i] = plain(values[i])
		}
		seen = append(seen, values)
	}
	if err := rows.Err(); err != nil {
		panic(err)
	}
	return seen
}

func ask(on session, query string, arguments ...interface{}) interface{} {
	rows, err := on.QueryContext(ctx, query, arguments...)
	if err != nil {
		panic(err)
	}
	defer rows.Close()
	return read(rows)
}

func do(on session, statement string, arguments ...interface{}) int64 {
	result, err := on.ExecContext(ctx, statement, arguments...)
	if err != nil {
		panic(err)
	}
	affected, _ := result.RowsAffected()
	return affected
}

func fails(on session, statement string, arguments ...interface{}) interface{} {
	rows, err := on.QueryContext(ctx, statement, arguments...)
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
		rows.Close()
	}
	return failure(err)
}

const columns = "tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, " +
	"fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document"

func row() []interface{} {
	blob := make([]byte, 256)
	for i := range blob {
		blob[i] = byte(i)
	}
	return []interface{}{
		-128, -32768, -8388608, int64(-1 << 63), uint64(1<<64 - 1), "12345678901234567890.0123456789", 1.5, -2.25e100,
		[]byte{2, 5}, "2024-02-29", "-12:34:56.789012", "2024-02-29 23:59:59.123456",
		time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), 2024, "fixed", "naïve 🐬", "a longer text\nof two lines",
		[]byte{0, 255, '\'', '\\'}, []byte{0, 1}, blob, "b", "x,z", `{"a": [1, "é", null]}`,
	}
}

func main() {
	say(map[string]string{"driver": "go-sql-driver/mysql", "version": os.Getenv("DRIVERS_GO_VERSION")})
	db := connect(nil)
	isMariaDB := os.Getenv("DRIVERS_FLAVOR") == "mariadb"
	charsets := "SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, " +
		"@@collation_connection"

	refused := func(change func(*mysql.Config)) interface{} { return failure(open(change).Ping()) }
	step("connect.plain", func() interface{} { return ask(db, charsets) })
	step("connect.socket", func() interface{} {
		local := open(func(c *mysql.Config) { c.Net, c.Addr = "unix", os.Getenv("DRIVERS_SOCKET") })
		defer local.Close()
		return ask(local, "SELECT DATABASE(), USER() LIKE 'app@%'")
	})
	step("connect.wrong_password", func() interface{} { return refused(func(c *mysql.Config) { c.Passwd = "wrong" }) })
	step("connect.unknown_schema", func() interface{} { return refused(func(c *mysql.Config) { c.DBName = "nowhere_at_all" }) })
	step("connect.version", func() interface{} { return ask(db, "SELECT VERSION()") })
	step("connect.tls", func() interface{} {
		secure := open(func(c *mysql.Config) { c.TLSConfig = "skip-verify" })
		defer secure.Close()
		return ask(secure, "SELECT 1")
	})

	tables, _ := os.ReadFile(os.Getenv("DRIVERS_TABLES"))
	step("text.tables", func() interface{} {
		seen := []int64{}
		for _, statement := range strings.Split(strings.TrimSpace(string(tables)), "\n\n") {
			seen = append(seen, do(db, statement))
		}
		return seen
	})
	nulls := make([]interface{}, len(row()))
	insert := "INSERT INTO kinds (" + columns + ") VALUES (?" + strings.Repeat(", ?", len(nulls)-1) + ")"
	get := "SELECT " + columns + " FROM kinds WHERE id = ?"
	step("text.insert", func() interface{} { return do(db, insert, row()...) })
	step("text.types", func() interface{} { return ask(db, get, 1) })
	step("text.nulls", func() interface{} { return []interface{}{do(db, insert, nulls...), ask(db, get, 2)} })
	step("text.columns", func() interface{} {
		rows, err := db.QueryContext(ctx, "SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1")
		if err != nil {
			panic(err)
		}
		defer rows.Close()
		types, _ := rows.ColumnTypes()
		seen := []string{}
		for _, t := range types {
			nullable, _ := t.Nullable()
			seen = append(seen, fmt.Sprint(t.Name(), " ", t.DatabaseTypeName(), " ", nullable, " ", t.ScanType()))
		}
		return seen
	})
	step("text.empty", func() interface{} {
		return []interface{}{ask(db, "SELECT id FROM kinds WHERE id = 99"), do(db, "UPDATE kinds SET tiny = 1 WHERE id = 99")}
	})
	step("text.literals", func() interface{} {
		return ask(db, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?", "'", `"`, `\`, "%", `\'; -- `, "🐬", "\x00\x1a\n", "`", "")
	})

	// Without interpolation the driver prepares, executes and closes: the same session, the binary protocol.
	prepare := func(statement string) *sql.Stmt {
		made, err := db.PrepareContext(ctx, statement)
		if err != nil {
			panic(err)
		}
		return made
	}
	execute := func(statement string, arguments ...interface{}) int64 {
		made := prepare(statement)
		defer made.Close()
		result, err := made.Exec(arguments...)
		if err != nil {
			panic(err)
		}
		affected, _ := result.RowsAffected()
		return affected
	}
	fetch := func(statement string, arguments ...interface{}) interface{} {
		made := prepare(statement)
		defer made.Close()
		rows, err := made.Query(arguments...)
		if err != nil {
			panic(err)
		}
		defer rows.Close()
		return read(rows)
	}
	step("prepared.insert", func() interface{} { return execute(insert, row()...) })
	step("prepared.types", func() interface{} { return fetch(get, 3) })
	step("prepared.nulls", func() interface{} { return []interface{}{execute(insert, nulls...), fetch(get, 4)} })
	step("prepared.again", func() interface{} {
		made := prepare("SELECT ?, ? * 2, id FROM kinds WHERE id = 1")
		defer made.Close()
		seen := []interface{}{}
		for _, pair := range [][]interface{}{{1, 2}, {3, 4}, {5, 1}, {nil, 2}} {
			rows, err := made.Query(pair...)
			if err != nil {
				panic(err)
			}
			seen = append(seen, read(rows))
			rows.Close()
		}
		return seen
	})
	step("prepared.errors", func() interface{} {
		made := prepare("INSERT INTO kinds (id) VALUES (?)")
		defer made.Close()
		_, err := made.Exec(1)
		return failure(err)
	})

	step("bulk.insert", func() interface{} {
		places, values := []string{}, []interface{}{}
		for n := 0; n < 1000; n++ {
			places = append(places, "(?, ?)")
			values = append(values, n, fmt.Sprintf("wört 🐬 %d", n))
		}
		affected := do(db, "INSERT INTO bulk (n, word) VALUES "+strings.Join(places, ", "), values...)
		return []interface{}{affected, ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM bulk")}
	})
	step("bulk.blob", func() interface{} {
		blob := []byte(strings.Repeat("0123456789abcde\x00", 65536))
		affected := do(db, "INSERT INTO files VALUES (1, ?)", blob)
		var back []byte
		if err := db.QueryRowContext(ctx, "SELECT content FROM files WHERE id = 1").Scan(&back); err != nil {
			panic(err)
		}
		return []interface{}{affected, len(back), fmt.Sprintf("%x", md5.Sum(back))}
	})

	step("counts.insert_id", func() interface{} {
		result, err := db.ExecContext(ctx, "INSERT INTO items (name) VALUES ('one'), ('two'), ('three')")
		if err != nil {
			panic(err)
		}
		affected, _ := result.RowsAffected()
		id, _ := result.LastInsertId()
		return []int64{affected, id}
	})
	step("counts.last_insert_id", func() interface{} { return ask(db, "SELECT LAST_INSERT_ID()") })
	step("counts.changed", func() interface{} {
		return []int64{do(db, "UPDATE items SET amount = 0 WHERE id = 1"), do(db, "UPDATE items SET amount = 5 WHERE id = 1")}
	})
	step("counts.found", func() interface{} {
		counting := open(func(c *mysql.Config) { c.ClientFoundRows = true })
		defer counting.Close()
		return do(counting, "UPDATE items SET amount = 5 WHERE id = 1")
	})
	step("counts.upsert", func() interface{} {
		return do(db, "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7")
	})
	step("counts.row_count", func() interface{} {
		return []interface{}{do(db, "UPDATE items SET amount = amount + 1"), ask(db, "SELECT ROW_COUNT()")}
	})

	begin := func(options *sql.TxOptions) *sql.Tx {
		tx, err := db.BeginTx(ctx, options)
		if err != nil {
			panic(err)
		}
		return tx
	}
	end := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	count := "SELECT COUNT(*) FROM items"
	// What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
	committed := "SELECT COUNT(*) FROM items WHERE name = 'committed'"
	step("transaction.commit", func() interface{} {
		witness := connect(nil)
		defer witness.Close()
		tx := begin(nil)
		inserted := do(tx, "INSERT INTO items (name) VALUES ('committed')")
		before := ask(witness, committed)
		end(tx.Commit())
		return []interface{}{inserted, before, ask(witness, committed+" LOCK IN SHARE MODE")}
	})
	step("transaction.rollback", func() interface{} {
		tx := begin(nil)
		do(tx, "INSERT INTO items (name) VALUES ('gone')")
		inside := ask(tx, count)
		end(tx.Rollback())
		return []interface{}{inside, ask(db, count)}
	})
	step("transaction.savepoint", func() interface{} {
		tx := begin(nil)
		do(tx, "INSERT INTO items (name) VALUES ('kept')")
		do(tx, "SAVEPOINT here")
		do(tx, "INSERT INTO items (name) VALUES ('undone')")
		inside := ask(tx, count)
		do(tx, "ROLLBACK TO SAVEPOINT here")
		end(tx.Commit())
		return []interface{}{inside, ask(db, count)}
	})
	step("transaction.autocommit_off", func() interface{} {
		do(db, "SET autocommit = 0")
		do(db, "INSERT INTO items (name) VALUES ('unfinished')")
		inside := ask(db, count)
		do(db, "ROLLBACK")
		outside := ask(db, count)
		do(db, "COMMIT")
		do(db, "SET autocommit = 1")
		return []interface{}{inside, outside, ask(db, "SELECT @@autocommit")}
	})
	step("transaction.isolation", func() interface{} {
		tx := begin(&sql.TxOptions{Isolation: sql.LevelSerializable})
		seen := []interface{}{ask(tx, count)}
		end(tx.Commit())
		name := "@@transaction_isolation"
		if isMariaDB {
			name = "@@tx_isolation"
		}
		do(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
		seen = append(seen, ask(db, "SELECT "+name))
		do(db, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
		return append(seen, ask(db, "SELECT "+name))
	})
	step("transaction.read_only", func() interface{} {
		tx := begin(&sql.TxOptions{ReadOnly: true})
		defer tx.Rollback()
		return fails(tx, "INSERT INTO items (name) VALUES ('refused')")
	})
	step("transaction.read_only_reads", func() interface{} {
		tx := begin(&sql.TxOptions{ReadOnly: true})
		defer tx.Commit()
		return []interface{}{ask(tx, count), ask(tx, "SELECT MAX(id) FROM items")}
	})

	step("error.duplicate", func() interface{} { return fails(db, "INSERT INTO items (name) VALUES ('one')") })
	step("error.syntax", func() interface{} { return fails(db, "SELEKT 'é' FROM items") })
	step("error.unknown_table", func() interface{} { return fails(db, "SELECT * FROM nowhere WHERE a = 1") })
	step("error.foreign_key", func() interface{} { return fails(db, "INSERT INTO children VALUES (1, 999)") })
	step("error.too_long", func() interface{} { return fails(db, "INSERT INTO items (name) VALUES (REPEAT('é', 30))") })
	step("error.signal", func() interface{} { return fails(db, "CALL refuse()") })
	step("error.locked", func() interface{} {
		holder := connect(nil)
		defer holder.Close()
		do(holder, "START TRANSACTION")
		ask(holder, "SELECT id FROM items WHERE id = 1 FOR UPDATE")
		defer do(holder, "ROLLBACK")
		return fails(db, "SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT")
	})
	step("error.deadlock", func() interface{} {
		heavy, light := connect(nil), connect(nil)
		defer heavy.Close()
		defer light.Close()
		do(heavy, "START TRANSACTION")
		do(heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500")
		do(light, "START TRANSACTION")
		do(light, "UPDATE items SET amount = 50 WHERE id = 1")
		won := make(chan int64)
		go func() { won <- do(heavy, "UPDATE items SET amount = 60 WHERE id = 1") }()
		seen := fails(light, "UPDATE bulk SET word = 'light' WHERE n = 1")
		affected := <-won
		do(heavy, "ROLLBACK")
		do(light, "ROLLBACK")
		return []interface{}{seen, affected}
	})
	step("error.after", func() interface{} { return ask(db, "SELECT 1") })

	step("warning.write", func() interface{} {
		return []interface{}{do(db, "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"), ask(db, "SHOW WARNINGS")}
	})
	step("warning.read", func() interface{} {
		return []interface{}{ask(db, "SELECT CAST('12x' AS SIGNED)"), ask(db, "SHOW WARNINGS")}
	})

	results := func(on session, statement string) interface{} {
		rows, err := on.QueryContext(ctx, statement)
		if err != nil {
			panic(err)
		}
		defer rows.Close()
		seen := []interface{}{read(rows)}
		for rows.NextResultSet() {
			seen = append(seen, read(rows))
		}
		return seen
	}
	step("routine.out", func() interface{} {
		do(db, "CALL add_up(2, 3, @total, @words)")
		return ask(db, "SELECT @total, @words")
	})
	step("routine.results", func() interface{} { return results(db, "CALL two_results(7)") })
	step("routine.function", func() interface{} { return ask(db, "SELECT twice(21)") })
	step("routine.statements", func() interface{} {
		many := open(func(c *mysql.Config) { c.MultiStatements = true })
		defer many.Close()
		return results(many, "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2")
	})

	step("stream.rows", func() interface{} {
		rows, err := db.QueryContext(ctx, "SELECT b.n, a.n FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n")
		if err != nil {
			panic(err)
		}
		defer rows.Close()
		count, sum := 0, 0
		for rows.Next() {
			var one, two int
			if err := rows.Scan(&one, &two); err != nil {
				panic(err)
			}
			count, sum = count+1, sum+one+two
		}
		return []int{count, sum}
	})
	step("stream.cursor", func() interface{} { return absent("the driver has no server-side cursors") })
	step("infile.load", func() interface{} {
		mysql.RegisterLocalFile(os.Getenv("DRIVERS_INFILE"))
		statement := "LOAD DATA LOCAL INFILE '" + os.Getenv("DRIVERS_INFILE") + "' INTO TABLE loaded CHARACTER SET utf8mb4"
		return []interface{}{do(db, statement), ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM loaded")}
	})

	step("session.use", func() interface{} {
		do(db, "USE "+os.Getenv("DRIVERS_OTHER"))
		seen := []interface{}{ask(db, "SELECT DATABASE()"), fails(db, "SELECT * FROM items")}
		do(db, "USE "+schema)
		return append(seen, ask(db, "SELECT DATABASE()"), ask(db, "SELECT COUNT(*) > 0 FROM items"))
	})
	step("session.variables", func() interface{} {
		do(db, "SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'")
		defer do(db, "SET sql_mode = DEFAULT, time_zone = DEFAULT")
		return ask(db, `SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1`)
	})
	step("session.temporary", func() interface{} {
		do(db, "CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3")
		seen := ask(db, "SELECT COUNT(*) FROM mine")
		do(db, "DROP TEMPORARY TABLE mine")
		return []interface{}{seen, fails(db, "SELECT COUNT(*) FROM mine")}
	})
	step("session.lock", func() interface{} {
		name := schema + "_lock"
		return []interface{}{
			ask(db, "SELECT GET_LOCK(?, 5)", name),
			ask(db, "SELECT IS_USED_LOCK(?) = CONNECTION_ID()", name),
			ask(db, "SELECT RELEASE_LOCK(?)", name),
		}
	})
	step("session.ping", func() interface{} { return db.PingContext(ctx) })
	step("session.reset", func() interface{} { return absent("the driver does not send COM_RESET_CONNECTION") })
	step("session.change_user", func() interface{} { return absent("the driver does not send COM_CHANGE_USER") })

	identity := func(on session) int64 {
		var id int64
		rows, err := on.QueryContext(ctx, "SELECT CONNECTION_ID()")
		if err != nil {
			panic(err)
		}
		defer rows.Close()
		rows.Next()
		end(rows.Scan(&id))
		return id
	}
	victims := open(func(c *mysql.Config) { c.InterpolateParams = true })
	victims.SetMaxOpenConns(1)
	step("session.killed", func() interface{} {
		do(db, fmt.Sprintf("KILL %d", identity(victims)))
		victim, err := victims.Conn(ctx)
		for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); {
			var one int
			err = victim.QueryRowContext(ctx, "SELECT 1").Scan(&one)
		}
		if victim != nil {
			victim.Close()
		}
		if err == nil {
			return "alive"
		}
		return "lost"
	})
	step("session.reconnect", func() interface{} {
		defer victims.Close()
		return []interface{}{ask(victims, "SELECT DATABASE()"), do(victims, "INSERT INTO items (name) VALUES ('again')")}
	})
	step("session.cancel", func() interface{} {
		sleeper := connect(nil)
		defer sleeper.Close()
		id := identity(sleeper)
		done := make(chan interface{})
		go func() {
			rows, err := sleeper.QueryContext(ctx, "SELECT SLEEP(30)")
			if err != nil {
				done <- failure(err)
				return
			}
			defer rows.Close()
			var slept int
			if !rows.Next() {
				done <- failure(rows.Err())
				return
			}
			rows.Scan(&slept)
			done <- slept
		}()
		for {
			do(db, fmt.Sprintf("KILL QUERY %d", id))
			select {
			case seen := <-done:
				return seen
			case <-time.After(50 * time.Millisecond):
			}
		}
	})

	step("pool.four", func() interface{} {
		pool := open(nil)
		pool.SetMaxOpenConns(4)
		defer pool.Close()
		seen := make([]interface{}, 4)
		var all sync.WaitGroup
		for n := 0; n < 4; n++ {
			all.Add(1)
			go func(n int) {
				defer all.Done()
				conn, err := pool.Conn(ctx)
				if err != nil {
					panic(err)
				}
				defer conn.Close()
				for row := 0; row < 5; row++ {
					do(conn, "INSERT INTO items (name, amount) VALUES (?, ?)", fmt.Sprintf("w%d-%d", n, row), n)
				}
				seen[n] = ask(conn, "SELECT COUNT(*) FROM items WHERE name LIKE ?", fmt.Sprintf("w%d-%%", n))
			}(n)
		}
		all.Wait()
		return seen
	})
	step("pool.reads", func() interface{} {
		reader := open(nil)
		defer reader.Close()
		var seen interface{}
		for n := 0; n < 40; n++ {
			seen = ask(reader, "SELECT COUNT(*) >= 0 FROM bulk /* "+os.Getenv("DRIVERS_MARKER")+" */")
		}
		return seen
	})
	if errors.Is(db.Close(), sql.ErrConnDone) {
		os.Exit(1)
	}
}

# The program of mysql2: the steps of ../steps.py.
require "bigdecimal"
require "digest"
require "json"
require "mysql2"

SCHEMA = ENV["DRIVERS_SCHEMA"]
MARIADB = ENV["DRIVERS_FLAVOR"] == "mariadb"
COLUMNS = "tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, " \
          "fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document"
CHARSETS = "SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, " \
           "@@collation_connection"
BYTES = ->(text) { text.dup.force_encoding(Encoding::BINARY) }
ROW = [
  -128, -32768, -8388608, -2**63, 2**64 - 1, BigDecimal("12345678901234567890.0123456789"), 1.5, -2.25e100,
  BYTES.call("\x02\x05"), "2024-02-29", "-12:34:56.789012", "2024-02-29 23:59:59.123456", "2024-02-29 12:00:00", 2024,
  "fixed", "naïve 🐬", "a longer text\nof two lines", BYTES.call("\0\xFF'\\"), BYTES.call("\0\1"),
  (0..255).map(&:chr).join.force_encoding(Encoding::BINARY), "b", "x,z", '{"a": [1, "é", null]}'
].freeze
COUNT = "SELECT COUNT(*) FROM items"
# What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
COMMITTED = "SELECT COUNT(*) FROM items WHERE name = 'committed'"
PORTIONS = "SELECT b.n, a.n FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n"

class Absent < StandardError; end

def connect(**options)
  Mysql2::Client.new(
    host: ENV["DRIVERS_HOST"], port: ENV["DRIVERS_PORT"].to_i, username: ENV["DRIVERS_USER"],
    password: ENV["DRIVERS_PASSWORD"], database: SCHEMA, encoding: "utf8mb4", local_infile: true,
    flags: ["-FOUND_ROWS"], as: :array, **options # it counts found rows unless told not to
  )
end

def plain(value)
  case value
  when Array then value.map { |item| plain(item) }
  when Hash then value.transform_values { |item| plain(item) }
  when String
    value.encoding == Encoding::BINARY || !value.valid_encoding? ? "0x#{value.unpack1('H*')}" : value
  when Integer, Float, nil, true, false then value
  when Time then "Time #{value.strftime('%F %T.%6N')}"
  else "#{value.class} #{value}"
  end
end

def say(**line)
  puts JSON.generate(line)
  $stdout.flush
end

def failure(error)
  { number: error.error_number, sqlstate: error.sql_state, message: error.message.dup.force_encoding("UTF-8") }
end

def step(name)
  say(step: name, saw: plain(yield))
rescue Absent => e
  say(step: name, absent: e.message)
rescue StandardError => e
  say(step: name, saw: { unexpected: "#{e.class}: #{e.message}" })
end

# Rows of a statement with a result, else the affected rows.
def ask(on, sql)
  result = on.query(sql)
  result ? result.to_a : on.affected_rows
end

def execute(on, sql, *values)
  statement = on.prepare(sql)
  result = statement.execute(*values)
  result ? result.to_a : statement.affected_rows
ensure
  statement&.close
end

def fails
  { unexpected: plain(yield) }
rescue Mysql2::Error => e
  failure(e)
end

# mysql2 puts no parameters into text: its users escape.
def quoted(values)
  values.map do |value|
    case value
    when nil then "NULL"
    when String then "'#{Mysql2::Client.escape(value)}'".dup.force_encoding(Encoding::BINARY)
    when BigDecimal then value.to_s("F")
    else value.to_s
    end
  end.map { |text| text.dup.force_encoding(Encoding::BINARY) }.join(", ")
end

say(driver: "mysql2", version: Mysql2::VERSION)
db = connect
step("connect.plain") { ask(db, CHARSETS) }
step("connect.socket") do
  ask(connect(host: nil, port: nil, socket: ENV["DRIVERS_SOCKET"]), "SELECT DATABASE(), USER() LIKE 'app@%'")
end
step("connect.wrong_password") { fails { connect(password: "wrong") } }
step("connect.unknown_schema") { fails { connect(database: "nowhere_at_all") } }
step("connect.version") { [db.server_info[:id], db.server_info[:version]] }
step("connect.tls") do
  secure = connect(ssl_mode: :required, sslverify: false)
  [!secure.ssl_cipher.nil?, ask(secure, "SELECT 1")]
end

insert = "INSERT INTO kinds (#{COLUMNS}) VALUES "
read = "SELECT #{COLUMNS} FROM kinds WHERE id = "
places = "(#{(['?'] * ROW.size).join(', ')})"
nulls = [nil] * ROW.size
step("text.tables") { File.read(ENV["DRIVERS_TABLES"]).strip.split("\n\n").map { |sql| ask(db, sql) } }
step("text.insert") { ask(db, insert.b + "(".b + quoted(ROW) + ")".b) }
step("text.types") { ask(db, "#{read}1") }
step("text.nulls") { [ask(db, "#{insert}(#{quoted(nulls)})"), ask(db, "#{read}2")] }
step("text.columns") do
  result = db.query("SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1")
  [result.fields, result.respond_to?(:field_types) ? result.field_types : nil]
end
step("text.empty") do
  [ask(db, "SELECT id FROM kinds WHERE id = 99"), ask(db, "UPDATE kinds SET tiny = 1 WHERE id = 99")]
end
step("text.literals") { ask(db, "SELECT " + quoted(["'", '"', "\\", "%", "\\'; -- ", "🐬", "\0\x1a\n", "`", ""]).force_encoding("UTF-8")) }

step("prepared.insert") { execute(db, insert + places, *ROW) }
step("prepared.types") { execute(db, "#{read}?", 3) }
step("prepared.nulls") { [execute(db, insert + places, *nulls), execute(db, "#{read}?", 4)] }
step("prepared.again") do
  statement = db.prepare("SELECT ?, ? * 2, id FROM kinds WHERE id = 1")
  seen = [[1, 2], [3, 4], [5, 1], [nil, 2]].map { |pair| statement.execute(*pair).to_a }
  statement.close
  seen
end
step("prepared.errors") { fails { execute(db, "INSERT INTO kinds (id) VALUES (?)", 1) } }

step("bulk.insert") do
  rows = (0...1000).map { |n| "(#{n}, 'wört 🐬 #{n}')" }.join(", ")
  [ask(db, "INSERT INTO bulk (n, word) VALUES #{rows}"), ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM bulk")]
end
step("bulk.blob") do
  blob = ((0..255).map(&:chr).join.b * 4096)
  affected = execute(db, "INSERT INTO files VALUES (1, ?)", blob)
  back = ask(db, "SELECT content FROM files WHERE id = 1")[0][0]
  [affected, back.bytesize, Digest::MD5.hexdigest(back)]
end

step("counts.insert_id") do
  [ask(db, "INSERT INTO items (name) VALUES ('one'), ('two'), ('three')"), db.last_id, db.query_info]
end
step("counts.last_insert_id") { ask(db, "SELECT LAST_INSERT_ID()") }
step("counts.changed") do
  [ask(db, "UPDATE items SET amount = 0 WHERE id = 1"), ask(db, "UPDATE items SET amount = 5 WHERE id = 1")]
end
step("counts.found") { ask(connect(flags: ["FOUND_ROWS"]), "UPDATE items SET amount = 5 WHERE id = 1") }
step("counts.upsert") do
  ask(db, "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7")
end
step("counts.row_count") { [ask(db, "UPDATE items SET amount = amount + 1"), ask(db, "SELECT ROW_COUNT()")] }

step("transaction.commit") do
  witness = connect
  db.query("BEGIN")
  inserted = ask(db, "INSERT INTO items (name) VALUES ('committed')")
  before = ask(witness, COMMITTED)
  db.query("COMMIT")
  [inserted, before, ask(witness, "#{COMMITTED} LOCK IN SHARE MODE")]
end
step("transaction.rollback") do
  db.query("BEGIN")
  ask(db, "INSERT INTO items (name) VALUES ('gone')")
  inside = ask(db, COUNT)
  db.query("ROLLBACK")
  [inside, ask(db, COUNT)]
end
step("transaction.savepoint") do
  db.query("BEGIN")
  ask(db, "INSERT INTO items (name) VALUES ('kept')")
  db.query("SAVEPOINT here")
  ask(db, "INSERT INTO items (name) VALUES ('undone')")
  inside = ask(db, COUNT)
  db.query("ROLLBACK TO SAVEPOINT here")
  db.query("COMMIT")
  [inside, ask(db, COUNT)]
end
step("transaction.autocommit_off") do
  db.query("SET autocommit = 0")
  ask(db, "INSERT INTO items (name) VALUES ('unfinished')")
  inside = ask(db, COUNT)
  db.query("ROLLBACK")
  outside = ask(db, COUNT)
  db.query("COMMIT")
  db.query("SET autocommit = 1")
  [inside, outside, ask(db, "SELECT @@autocommit")]
end
step("transaction.isolation") do
  name = MARIADB ? "@@tx_isolation" : "@@transaction_isolation"
  db.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
  one = ask(db, "SELECT #{name}")
  db.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
  [one, ask(db, "SELECT #{name}")]
end
step("transaction.read_only") do
  db.query("START TRANSACTION READ ONLY")
  seen = fails { ask(db, "INSERT INTO items (name) VALUES ('refused')") }
  db.query("ROLLBACK")
  seen
end
step("transaction.read_only_reads") do
  db.query("START TRANSACTION READ ONLY")
  seen = [ask(db, COUNT), ask(db, "SELECT MAX(id) FROM items")]
  db.query("COMMIT")
  seen
end

{
  "error.duplicate" => "INSERT INTO items (name) VALUES ('one')",
  "error.syntax" => "SELEKT 'é' FROM items",
  "error.unknown_table" => "SELECT * FROM nowhere WHERE a = 1",
  "error.foreign_key" => "INSERT INTO children VALUES (1, 999)",
  "error.too_long" => "INSERT INTO items (name) VALUES (REPEAT('é', 30))",
  "error.signal" => "CALL refuse()"
}.each { |name, sql| step(name) { fails { ask(db, sql) } } }
step("error.locked") do
  holder = connect
  holder.query("BEGIN")
  ask(holder, "SELECT id FROM items WHERE id = 1 FOR UPDATE")
  seen = fails { ask(db, "SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT") }
  holder.close
  seen
end
step("error.deadlock") do
  heavy = connect
  light = connect
  heavy.query("BEGIN")
  ask(heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500")
  light.query("BEGIN")
  ask(light, "UPDATE items SET amount = 50 WHERE id = 1")
  heavy.query("UPDATE items SET amount = 60 WHERE id = 1", async: true)
  seen = fails { ask(light, "UPDATE bulk SET word = 'light' WHERE n = 1") }
  heavy.async_result
  [seen, heavy.affected_rows]
end
step("error.after") { ask(db, "SELECT 1") }

step("warning.write") do
  [ask(db, "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"), db.warning_count, ask(db, "SHOW WARNINGS")]
end
step("warning.read") do
  [ask(db, "SELECT CAST('12x' AS SIGNED)"), db.warning_count, ask(db, "SHOW WARNINGS")]
end

def several(on, sql)
  result = on.query(sql)
  seen = [result ? result.to_a : on.affected_rows]
  while on.next_result
    result = on.store_result
    seen << (result ? result.to_a : on.affected_rows)
  end
  seen
end
step("routine.out") do
  db.query("CALL add_up(2, 3, @total, @words)")
  ask(db, "SELECT @total, @words")
end
step("routine.results") { several(connect(flags: Mysql2::Client::MULTI_STATEMENTS), "CALL two_results(7)") }
step("routine.function") { ask(db, "SELECT twice(21)") }
step("routine.statements") do
  many = connect(flags: Mysql2::Client::MULTI_STATEMENTS)
  several(many, "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2")
end

step("stream.rows") do
  count = sum = 0
  db.query(PORTIONS, stream: true).each do |row|
    count += 1
    sum += row.sum
  end
  [count, sum]
end
step("stream.cursor") { raise Absent, "the driver has no server-side cursors" }
step("infile.load") do
  sql = "LOAD DATA LOCAL INFILE '#{ENV['DRIVERS_INFILE']}' INTO TABLE loaded CHARACTER SET utf8mb4"
  [ask(db, sql), ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM loaded")]
end

step("session.use") do
  db.select_db(ENV["DRIVERS_OTHER"])
  seen = [ask(db, "SELECT DATABASE()"), fails { ask(db, "SELECT * FROM items") }]
  db.select_db(SCHEMA)
  [*seen, ask(db, "SELECT DATABASE()"), ask(db, "SELECT COUNT(*) > 0 FROM items")]
end
step("session.variables") do
  db.query("SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'")
  seen = ask(db, 'SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1')
  db.query("SET sql_mode = DEFAULT, time_zone = DEFAULT")
  seen
end
step("session.temporary") do
  db.query("CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3")
  seen = ask(db, "SELECT COUNT(*) FROM mine")
  db.query("DROP TEMPORARY TABLE mine")
  [seen, fails { ask(db, "SELECT COUNT(*) FROM mine") }]
end
lock = "#{SCHEMA}_lock"
step("session.lock") do
  [
    ask(db, "SELECT GET_LOCK('#{lock}', 5)"),
    ask(db, "SELECT IS_USED_LOCK('#{lock}') = CONNECTION_ID()"),
    ask(db, "SELECT RELEASE_LOCK('#{lock}')")
  ]
end
step("session.ping") { db.ping }
step("session.reset") { raise Absent, "the driver does not send COM_RESET_CONNECTION" }
step("session.change_user") { raise Absent, "the driver does not send COM_CHANGE_USER" }

victim = connect(reconnect: true)
step("session.killed") do
  victim = connect
  db.query("KILL #{victim.thread_id}")
  deadline = Time.now + 20
  state = "alive"
  while state == "alive" && Time.now < deadline
    begin
      ask(victim, "SELECT 1")
    rescue Mysql2::Error
      state = "lost"
    end
  end
  state
end
step("session.reconnect") do
  again = connect(reconnect: true) # the library's own: the second ping finds a new connection
  db.query("KILL #{again.thread_id}")
  old = again.thread_id
  deadline = Time.now + 20
  begin
    again.ping
  end until again.thread_id != old || Time.now > deadline
  [again.thread_id != old, ask(again, "SELECT DATABASE()"), ask(again, "INSERT INTO items (name) VALUES ('again')")]
end
step("session.cancel") do
  sleeper = connect
  sleeper.query("SELECT SLEEP(30)", async: true)
  begin
    db.query("KILL QUERY #{sleeper.thread_id}")
  end until IO.select([IO.for_fd(sleeper.socket, autoclose: false)], nil, nil, 0.05)
  begin
    sleeper.async_result.to_a
  rescue Mysql2::Error => e
    failure(e)
  end
end

step("pool.four") do
  (0..3).map do |n|
    Thread.new do
      one = connect
      5.times { |row| one.query("INSERT INTO items (name, amount) VALUES ('w#{n}-#{row}', #{n})") }
      ask(one, "SELECT COUNT(*) FROM items WHERE name LIKE 'w#{n}-%'")
    end
  end.map(&:value)
end
step("pool.reads") do
  reader = connect
  40.times.map { ask(reader, "SELECT COUNT(*) >= 0 FROM bulk /* #{ENV['DRIVERS_MARKER']} */") }.last
end
db.close

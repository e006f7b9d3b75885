// The program of mysql2: the steps of ../steps.py with its promise API.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";

// NODE_PATH says where the driver is installed; `import` does not look there, `require` does.
const require = createRequire(import.meta.url);
const mysql = require("mysql2/promise");
const version = require("mysql2/package.json").version;

const env = process.env;
const schema = env.DRIVERS_SCHEMA;
const isMariaDB = env.DRIVERS_FLAVOR === "mariadb";
const plainConfig = {
  host: env.DRIVERS_HOST,
  port: Number(env.DRIVERS_PORT),
  user: env.DRIVERS_USER,
  password: env.DRIVERS_PASSWORD,
  database: schema,
  supportBigNumbers: true,
  bigNumberStrings: true,
  dateStrings: true,
  flags: ["-FOUND_ROWS"], // mysql2 counts found rows unless it is told not to
};
const connect = (options = {}) => mysql.createConnection({ ...plainConfig, ...options });

const absent = (why) => ({ absent: why });
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const failure = (error) =>
  error.errno
    ? { number: error.errno, sqlstate: error.sqlState ?? null, message: error.sqlMessage }
    : { unexpected: String(error) };
const plain = (value) => {
  if (Buffer.isBuffer(value)) return "0x" + value.toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
  return value === undefined ? null : value;
};
const step = async (name, take) => {
  let saw;
  try {
    saw = await take();
  } catch (error) {
    saw = { unexpected: String(error) };
  }
  say(saw?.absent ? { step: name, ...saw } : { step: name, saw: plain(saw) });
};
const result = (rows) => (Array.isArray(rows) ? rows : rows.affectedRows);
const ask = async (on, sql, values) => result((await on.query({ sql, values, rowsAsArray: true }))[0]);
const execute = async (on, sql, values) => result((await on.execute({ sql, values, rowsAsArray: true }))[0]);
const fails = (on, sql, values, how = ask) =>
  how(on, sql, values).then((saw) => ({ unexpected: plain(saw) }), failure);
const refused = (options) => connect(options).then(() => ({ unexpected: "a connection" }), failure);

const COLUMNS =
  "tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, " +
  "fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document";
const ROW = [
  -128, -32768, -8388608, "-9223372036854775808", "18446744073709551615", "12345678901234567890.0123456789",
  1.5, -2.25e100, Buffer.from([2, 5]), "2024-02-29", "-12:34:56.789012", "2024-02-29 23:59:59.123456",
  "2024-02-29 12:00:00", 2024, "fixed", "naïve 🐬", "a longer text\nof two lines", Buffer.from("\0\xff'\\", "latin1"),
  Buffer.from([0, 1]), Buffer.from([...Array(256).keys()]), "b", "x,z", '{"a": [1, "é", null]}',
];
const NULLS = ROW.map(() => null);
const INSERT = `INSERT INTO kinds (${COLUMNS}) VALUES (${ROW.map(() => "?").join(", ")})`;
const READ = `SELECT ${COLUMNS} FROM kinds WHERE id = ?`;
const CHARSETS =
  "SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, " +
  "@@collation_connection";
const PORTIONS = "SELECT b.n, a.n FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n";
const COUNT = "SELECT COUNT(*) FROM items";
// What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
const COMMITTED = "SELECT COUNT(*) FROM items WHERE name = 'committed'";

say({ driver: "mysql2", version });
const db = await connect();
const using = async (connection, work) => {
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
};

await step("connect.plain", () => ask(db, CHARSETS));
await step("connect.socket", async () =>
  using(await connect({ socketPath: env.DRIVERS_SOCKET }), (local) =>
    ask(local, "SELECT DATABASE(), USER() LIKE 'app@%'"),
  ),
);
await step("connect.wrong_password", () => refused({ password: "wrong" }));
await step("connect.unknown_schema", () => refused({ database: "nowhere_at_all" }));
await step("connect.version", () => db.connection._handshakePacket.serverVersion);
await step("connect.tls", async () =>
  using(await connect({ ssl: { rejectUnauthorized: false } }), async (secure) => [
    Boolean(secure.connection.stream.getCipher?.()),
    await ask(secure, "SELECT 1"),
  ]),
);

await step("text.tables", async () => {
  const seen = [];
  for (const sql of readFileSync(env.DRIVERS_TABLES, "utf8").trim().split("\n\n")) seen.push(await ask(db, sql));
  return seen;
});
await step("text.insert", () => ask(db, INSERT, ROW));
await step("text.types", () => ask(db, READ, [1]));
await step("text.nulls", async () => [await ask(db, INSERT, NULLS), await ask(db, READ, [2])]);
await step("text.columns", async () => {
  const [, fields] = await db.query("SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1");
  return fields.map((field) => [field.name, field.columnType, field.flags, field.characterSet, field.decimals]);
});
await step("text.empty", async () => [
  await ask(db, "SELECT id FROM kinds WHERE id = 99"),
  await ask(db, "UPDATE kinds SET tiny = 1 WHERE id = 99"),
]);
await step("text.literals", () =>
  ask(db, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?", ["'", '"', "\\", "%", "\\'; -- ", "🐬", "\0\x1a\n", "`", ""]),
);

await step("prepared.insert", () => execute(db, INSERT, ROW));
await step("prepared.types", () => execute(db, READ, [3]));
await step("prepared.nulls", async () => [await execute(db, INSERT, NULLS), await execute(db, READ, [4])]);
await step("prepared.again", async () => {
  const statement = await db.prepare("SELECT ?, ? * 2, id FROM kinds WHERE id = 1");
  const seen = [];
  for (const pair of [[1, 2], [3, 4], [5, 1], [null, 2]]) seen.push((await statement.execute(pair))[0]);
  await statement.close();
  return seen;
});
await step("prepared.errors", () => fails(db, "INSERT INTO kinds (id) VALUES (?)", [1], execute));

await step("bulk.insert", async () => {
  const rows = [...Array(1000).keys()].map((n) => [n, `wört 🐬 ${n}`]);
  return [
    await ask(db, "INSERT INTO bulk (n, word) VALUES ?", [rows]),
    await ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM bulk"),
  ];
});
await step("bulk.blob", async () => {
  const blob = Buffer.alloc(1 << 20, Buffer.from([...Array(256).keys()]));
  const affected = await ask(db, "INSERT INTO files VALUES (1, ?)", [blob]);
  const [[back]] = await ask(db, "SELECT content FROM files WHERE id = 1");
  return [affected, back.length, createHash("md5").update(back).digest("hex")];
});

await step("counts.insert_id", async () => {
  const [done] = await db.query("INSERT INTO items (name) VALUES ('one'), ('two'), ('three')");
  return [done.affectedRows, done.insertId, done.info, done.warningStatus];
});
await step("counts.last_insert_id", () => ask(db, "SELECT LAST_INSERT_ID()"));
const update = async (on, amount) => {
  const [done] = await on.query("UPDATE items SET amount = ? WHERE id = 1", [amount]);
  return [done.affectedRows, done.changedRows, done.info];
};
await step("counts.changed", async () => [await update(db, 0), await update(db, 5)]);
await step("counts.found", async () =>
  using(await connect({ flags: ["FOUND_ROWS"] }), (counting) => update(counting, 5)),
);
await step("counts.upsert", () =>
  ask(db, "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7"),
);
await step("counts.row_count", async () => [
  await ask(db, "UPDATE items SET amount = amount + 1"),
  await ask(db, "SELECT ROW_COUNT()"),
]);

await step("transaction.commit", async () =>
  using(await connect(), async (witness) => {
    await db.beginTransaction();
    const inserted = await ask(db, "INSERT INTO items (name) VALUES ('committed')");
    const before = await ask(witness, COMMITTED);
    await db.commit();
    return [inserted, before, await ask(witness, COMMITTED + " LOCK IN SHARE MODE")];
  }),
);
await step("transaction.rollback", async () => {
  await db.beginTransaction();
  await ask(db, "INSERT INTO items (name) VALUES ('gone')");
  const inside = await ask(db, COUNT);
  await db.rollback();
  return [inside, await ask(db, COUNT)];
});
await step("transaction.savepoint", async () => {
  await db.beginTransaction();
  await ask(db, "INSERT INTO items (name) VALUES ('kept')");
  await ask(db, "SAVEPOINT here");
  await ask(db, "INSERT INTO items (name) VALUES ('undone')");
  const inside = await ask(db, COUNT);
  await ask(db, "ROLLBACK TO SAVEPOINT here");
  await db.commit();
  return [inside, await ask(db, COUNT)];
});
await step("transaction.autocommit_off", async () => {
  await ask(db, "SET autocommit = 0");
  await ask(db, "INSERT INTO items (name) VALUES ('unfinished')");
  const inside = await ask(db, COUNT);
  await db.rollback();
  const outside = await ask(db, COUNT);
  await db.commit();
  await ask(db, "SET autocommit = 1");
  return [inside, outside, await ask(db, "SELECT @@autocommit")];
});
await step("transaction.isolation", async () => {
  const name = isMariaDB ? "@@tx_isolation" : "@@transaction_isolation";
  await ask(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  const one = await ask(db, `SELECT ${name}`);
  await ask(db, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  return [one, await ask(db, `SELECT ${name}`)];
});
await step("transaction.read_only", async () => {
  await ask(db, "START TRANSACTION READ ONLY");
  const seen = await fails(db, "INSERT INTO items (name) VALUES ('refused')");
  await db.rollback();
  return seen;
});
await step("transaction.read_only_reads", async () => {
  await ask(db, "START TRANSACTION READ ONLY");
  const seen = [await ask(db, COUNT), await ask(db, "SELECT MAX(id) FROM items")];
  await db.commit();
  return seen;
});

await step("error.duplicate", () => fails(db, "INSERT INTO items (name) VALUES ('one')"));
await step("error.syntax", () => fails(db, "SELEKT 'é' FROM items"));
await step("error.unknown_table", () => fails(db, "SELECT * FROM nowhere WHERE a = 1"));
await step("error.foreign_key", () => fails(db, "INSERT INTO children VALUES (1, 999)"));
await step("error.too_long", () => fails(db, "INSERT INTO items (name) VALUES (REPEAT('é', 30))"));
await step("error.signal", () => fails(db, "CALL refuse()"));
await step("error.locked", async () =>
  using(await connect(), async (holder) => {
    await holder.beginTransaction();
    await ask(holder, "SELECT id FROM items WHERE id = 1 FOR UPDATE");
    const seen = await fails(db, "SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT");
    await holder.rollback();
    return seen;
  }),
);
await step("error.deadlock", async () =>
  using(await connect(), (heavy) =>
    connect().then((other) =>
      using(other, async (light) => {
        await heavy.beginTransaction();
        await ask(heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500");
        await light.beginTransaction();
        await ask(light, "UPDATE items SET amount = 50 WHERE id = 1");
        const [won, seen] = await Promise.all([
          ask(heavy, "UPDATE items SET amount = 60 WHERE id = 1"),
          fails(light, "UPDATE bulk SET word = 'light' WHERE n = 1"),
        ]);
        await heavy.rollback();
        await light.rollback();
        return [seen, won];
      }),
    ),
  ),
);
await step("error.after", () => ask(db, "SELECT 1"));

await step("warning.write", async () => {
  const [done] = await db.query("INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))");
  return [done.affectedRows, done.warningStatus, await ask(db, "SHOW WARNINGS")];
});
await step("warning.read", async () => [
  await ask(db, "SELECT CAST('12x' AS SIGNED)"),
  await ask(db, "SHOW WARNINGS"),
]);

await step("routine.out", async () => {
  await ask(db, "CALL add_up(2, 3, @total, @words)");
  return ask(db, "SELECT @total, @words");
});
const several = async (on, sql) => (await on.query({ sql, rowsAsArray: true }))[0].map(result);
await step("routine.results", () => several(db, "CALL two_results(7)"));
await step("routine.function", () => ask(db, "SELECT twice(21)"));
await step("routine.statements", async () =>
  using(await connect({ multipleStatements: true }), (many) =>
    several(many, "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2"),
  ),
);

await step("stream.rows", async () => {
  let [count, sum] = [0, 0];
  for await (const row of db.connection.query({ sql: PORTIONS, rowsAsArray: true }).stream()) {
    count += 1;
    sum += row[0] + row[1];
  }
  return [count, sum];
});
await step("stream.cursor", () => absent("the driver has no server-side cursors"));
await step("infile.load", async () => {
  const [done] = await db.query({
    sql: "LOAD DATA LOCAL INFILE 'rows' INTO TABLE loaded CHARACTER SET utf8mb4",
    infileStreamFactory: () => createReadStream(env.DRIVERS_INFILE),
  });
  return [done.affectedRows, done.info, await ask(db, "SELECT COUNT(*), SUM(n), MAX(word) FROM loaded")];
});

await step("session.use", async () => {
  await ask(db, `USE ${env.DRIVERS_OTHER}`);
  const seen = [await ask(db, "SELECT DATABASE()"), await fails(db, "SELECT * FROM items")];
  await ask(db, `USE ${schema}`);
  return [...seen, await ask(db, "SELECT DATABASE()"), await ask(db, "SELECT COUNT(*) > 0 FROM items")];
});
await step("session.variables", async () => {
  await ask(db, "SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'");
  const seen = await ask(db, 'SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1');
  await ask(db, "SET sql_mode = DEFAULT, time_zone = DEFAULT");
  return seen;
});
await step("session.temporary", async () => {
  await ask(db, "CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3");
  const seen = await ask(db, "SELECT COUNT(*) FROM mine");
  await ask(db, "DROP TEMPORARY TABLE mine");
  return [seen, await fails(db, "SELECT COUNT(*) FROM mine")];
});
await step("session.lock", async () => [
  await ask(db, "SELECT GET_LOCK(?, 5)", [`${schema}_lock`]),
  await ask(db, "SELECT IS_USED_LOCK(?) = CONNECTION_ID()", [`${schema}_lock`]),
  await ask(db, "SELECT RELEASE_LOCK(?)", [`${schema}_lock`]),
]);
await step("session.ping", () => db.ping());
const renewed = async (renew) =>
  using(await connect(), async (old) => {
    await ask(old, "SET @mine = 1, time_zone = '+05:00'");
    await ask(old, "CREATE TEMPORARY TABLE mine (a INT)");
    await renew(old);
    return [
      await ask(old, "SELECT @mine, @@time_zone, DATABASE()"),
      await fails(old, "SELECT * FROM mine"),
      await ask(old, CHARSETS),
    ];
  });
await step("session.reset", () => renewed((old) => old.reset()));
await step("session.change_user", () =>
  renewed((old) =>
    old.changeUser({ user: env.DRIVERS_USER, password: env.DRIVERS_PASSWORD, database: schema }),
  ),
);

const pool = mysql.createPool({ ...plainConfig, connectionLimit: 4 });
await step("session.killed", async () => {
  const victim = await pool.getConnection();
  victim.connection.on("error", () => {}); // the loss of an idle connection is an event, too
  await ask(db, `KILL ${victim.threadId}`);
  for (const deadline = Date.now() + 20000; Date.now() < deadline; ) {
    try {
      await ask(victim, "SELECT 1");
    } catch {
      victim.destroy();
      return "lost";
    }
  }
  return "alive";
});
await step("session.reconnect", async () => [
  await ask(pool, "SELECT DATABASE()"),
  await ask(pool, "INSERT INTO items (name) VALUES ('again')"),
]);
await step("session.cancel", async () =>
  using(await connect(), async (sleeper) => {
    const slept = ask(sleeper, "SELECT SLEEP(30)").catch(failure);
    let done = false;
    slept.then(() => (done = true));
    while (!done) {
      await ask(db, `KILL QUERY ${sleeper.threadId}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return slept;
  }),
);

await step("pool.four", () =>
  Promise.all(
    [0, 1, 2, 3].map(async (n) => {
      const connection = await pool.getConnection();
      for (let row = 0; row < 5; row++)
        await ask(connection, "INSERT INTO items (name, amount) VALUES (?, ?)", [`w${n}-${row}`, n]);
      const seen = await ask(connection, "SELECT COUNT(*) FROM items WHERE name LIKE ?", [`w${n}-%`]);
      connection.release();
      return seen;
    }),
  ),
);
await step("pool.reads", async () => {
  let seen;
  for (let n = 0; n < 40; n++)
    seen = await ask(pool, `SELECT COUNT(*) >= 0 FROM bulk /* ${env.DRIVERS_MARKER} */`);
  return seen;
});
await pool.end();
await db.end();

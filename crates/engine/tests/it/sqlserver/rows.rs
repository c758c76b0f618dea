//! Rows from one database to another as the bytes that the server sent, compared by the server.

use engine::mssql::bulk::Bulk;
use engine::mssql::carry::{Hints, Loaded, differs};
use engine::mssql::session::Selection;

use super::*;

const HINTS: Hints = Hints { keep_nulls: true, lock_table: false, check_constraints: false };
pub(super) const SOURCE: &str = "dbferry_test_source";
pub(super) const TARGET: &str = "dbferry_test_target";

/// A type, what of a column `@` tells all of a value, and values.
pub(super) struct Typed {
    pub(super) name: &'static str,
    /// Two expressions, which are equal only where the values are. Formats cut digits, collations take `a`
    /// for `A`, and moments are equal whatever their offsets.
    shown: [&'static str; 2],
    values: &'static [&'static str],
}

const fn typed(
    name: &'static str,
    shown: [&'static str; 2],
    values: &'static [&'static str],
) -> Typed {
    Typed { name, shown, values }
}

const VALUE: [&str; 2] = ["@", "0"];
const BYTES: [&str; 2] = ["@", "DATALENGTH(@)"];
const FLOAT: [&str; 2] = ["CONVERT(varbinary(8), @)", "0"];
const TEXT: [&str; 2] = ["@ COLLATE Latin1_General_BIN2", "DATALENGTH(@)"];
const OLD_TEXT: [&str; 2] =
    ["CONVERT(nvarchar(max), @) COLLATE Latin1_General_BIN2", "DATALENGTH(@)"];
const OFFSET: [&str; 2] = ["@", "DATEPART(tzoffset, @)"];
const XML: [&str; 2] = ["CONVERT(nvarchar(max), @) COLLATE Latin1_General_BIN2", "0"];
const VARIANT: [&str; 2] = [
    "CAST(@ AS nvarchar(4000)) COLLATE Latin1_General_BIN2",
    "CAST(SQL_VARIANT_PROPERTY(@, 'BaseType') AS nvarchar(128)) COLLATE Latin1_General_BIN2",
];

const SHORT_TEXTS: &[&str] = &["N''", "N'a'", "N'A '", "N'größe €'"];
const SHORT_UNICODE: &[&str] = &["N''", "N'a '", "N'größe'", "N'你好 🚀'"];
const MANY_SECONDS: &[&str] =
    &["'0001-01-01T00:00:00'", "'9999-12-31T23:59:59'", "'2024-02-29T12:34:56.1234567'"];
const OFFSETS: &[&str] = &[
    "'0001-01-01T00:00:00+00:00'",
    "'9999-12-31T23:59:59+00:00'",
    "'2024-02-29T12:34:56.1234567+05:30'",
    "'2024-02-29T12:34:56.1234567-14:00'",
];
const TIMES: &[&str] = &["'00:00:00'", "'23:59:59'", "'12:34:56.1234567'"];

/// The types that every server is expected to have, with values at their edges.
pub(super) const TYPES: &[Typed] = &[
    typed("bit", VALUE, &["0", "1"]),
    typed("tinyint", VALUE, &["0", "255"]),
    typed("smallint", VALUE, &["-32768", "32767"]),
    typed("int", VALUE, &["-2147483648", "2147483647", "0"]),
    typed("bigint", VALUE, &["-9223372036854775808", "9223372036854775807"]),
    typed("real", FLOAT, &["-3.402823E+38", "3.402823E+38", "1.175494E-38", "CAST(0.1 AS real)"]),
    typed(
        "float",
        FLOAT,
        &[
            "-1.7976931348623157E+308",
            "2.2250738585072014E-308",
            "CAST(0 AS float) * -1",
            "CAST(1 AS float) / 3",
        ],
    ),
    typed("smallmoney", VALUE, &["-214748.3648", "214748.3647"]),
    typed("money", VALUE, &["-922337203685477.5808", "922337203685477.5807", "0.0001"]),
    typed("decimal(1,0)", VALUE, &["-9", "9"]),
    typed("decimal(9,4)", VALUE, &["-99999.9999", "0.0001"]),
    typed("numeric(19,0)", VALUE, &["-9999999999999999999", "9999999999999999999"]),
    typed("decimal(28,28)", VALUE, &["0.9999999999999999999999999999", "0"]),
    typed(
        "decimal(38,0)",
        VALUE,
        &[
            "-99999999999999999999999999999999999999",
            "99999999999999999999999999999999999999",
            "-9999999999999999999999999999999999999",
            "0",
        ],
    ),
    typed(
        "decimal(38,10)",
        VALUE,
        &[
            "1234567890123456789012345678.0123456789",
            "-123456789012345678901234567.0123456789",
            "0",
        ],
    ),
    typed(
        "decimal(38,38)",
        VALUE,
        &[
            "0.12345678901234567890123456789012345678",
            "-0.01234567890123456789012345678901234567",
            "0",
        ],
    ),
    typed("date", VALUE, &["'0001-01-01'", "'9999-12-31'"]),
    typed("time(0)", VALUE, TIMES),
    typed("time(3)", VALUE, TIMES),
    typed("time(7)", VALUE, TIMES),
    typed("smalldatetime", VALUE, &["'1900-01-01T00:00:00'", "'2079-06-06T23:59:00'"]),
    typed("datetime", VALUE, &["'1753-01-01T00:00:00'", "'9999-12-31T23:59:59.997'"]),
    typed("datetime2(0)", VALUE, MANY_SECONDS),
    typed("datetime2(1)", VALUE, MANY_SECONDS),
    typed("datetime2(2)", VALUE, MANY_SECONDS),
    typed("datetime2(3)", VALUE, MANY_SECONDS),
    typed("datetime2(4)", VALUE, MANY_SECONDS),
    typed("datetime2(5)", VALUE, MANY_SECONDS),
    typed("datetime2(6)", VALUE, MANY_SECONDS),
    typed("datetime2(7)", VALUE, MANY_SECONDS),
    typed("datetimeoffset(0)", OFFSET, OFFSETS),
    typed("datetimeoffset(4)", OFFSET, OFFSETS),
    typed("datetimeoffset(7)", OFFSET, OFFSETS),
    typed("char(10)", TEXT, SHORT_TEXTS),
    typed("varchar(10)", TEXT, SHORT_TEXTS),
    typed("varchar(8000)", TEXT, &["REPLICATE('x', 8000)", "''"]),
    typed(
        "varchar(max)",
        TEXT,
        &[
            "REPLICATE(CAST('x' AS varchar(max)), 8001)",
            "REPLICATE(CAST('abc' AS varchar(max)), 1000000)",
            "''",
        ],
    ),
    typed("nchar(10)", TEXT, SHORT_UNICODE),
    typed("nvarchar(4000)", TEXT, &["REPLICATE(N'ß', 4000)", "N''", "N'你好 🚀'"]),
    typed(
        "nvarchar(max)",
        TEXT,
        &[
            "REPLICATE(CAST(N'ß' AS nvarchar(max)), 4001)",
            "REPLICATE(CAST(N'grün ' AS nvarchar(max)), 400000)",
            "N''",
        ],
    ),
    typed("binary(8)", BYTES, &["0x0000000000000000", "0xFFFFFFFFFFFFFFFF"]),
    typed(
        "varbinary(8000)",
        BYTES,
        &["CAST(REPLICATE('x', 8000) AS varbinary(8000))", "0x", "0x00FF"],
    ),
    typed(
        "varbinary(max)",
        BYTES,
        &[
            "CAST(REPLICATE(CAST('x' AS varchar(max)), 8001) AS varbinary(max))",
            "CAST(REPLICATE(CAST('abc' AS varchar(max)), 1500000) AS varbinary(max))",
            "0x",
        ],
    ),
    typed(
        "uniqueidentifier",
        VALUE,
        &["'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "'00000000-0000-0000-0000-000000000000'"],
    ),
    typed(
        "sql_variant",
        VARIANT,
        &[
            "CAST(-5 AS int)",
            "CAST('x' AS varchar(10))",
            "CAST(N'ü' AS nvarchar(20))",
            "CAST(1.25 AS decimal(10,2))",
            "CAST('2024-02-29T12:34:56.123' AS datetime2(3))",
            "CAST(0x0102 AS varbinary(8))",
        ],
    ),
    typed("xml", XML, &["N'<a/>'", "N'<größe x=\"1\">你好</größe>'"]),
    typed("text", OLD_TEXT, &["'x'", "REPLICATE(CAST('x' AS varchar(max)), 70000)", "''"]),
    typed("ntext", OLD_TEXT, &["N'ü'", "REPLICATE(CAST(N'ß' AS nvarchar(max)), 70000)", "N''"]),
    typed("image", ["CONVERT(varbinary(max), @)", "DATALENGTH(@)"], &["0x00", "0x0102030405"]),
];

/// What Babelfish 4.3 does not keep of a bulk load, whoever sends it: a type, and a value of it or all.
///
/// It takes smallmoney for unsigned, an empty text for NULL, and the thousandths of a datetime as they were
/// rounded for sending. Of 38 digits and a point, which may be those of a zero, it forgets where they end.
const BABELFISH_LOSES: &[(&str, Option<&str>)] = &[
    ("smallmoney", Some("-214748.3648")),
    ("decimal(38,0)", Some("-99999999999999999999999999999999999999")),
    ("decimal(38,0)", Some("99999999999999999999999999999999999999")),
    ("decimal(38,10)", Some("1234567890123456789012345678.0123456789")),
    ("decimal(38,38)", Some("0.12345678901234567890123456789012345678")),
    ("decimal(38,38)", Some("0")),
    ("datetime", Some("'9999-12-31T23:59:59.997'")),
    ("nchar(10)", Some("N'你好 🚀'")),
    ("sql_variant", Some("CAST('2024-02-29T12:34:56.123' AS datetime2(3))")),
    ("text", Some("''")),
    ("ntext", Some("N''")),
];

/// A type with the values that are asked of this server.
pub(super) struct Case {
    pub(super) typed: &'static Typed,
    pub(super) values: Vec<&'static str>,
}

/// All types and values, but for those that the server is known to lose, which are told.
fn cases(loses: &[(&str, Option<&str>)]) -> Vec<Case> {
    let is_lost = |typed: &Typed, value: &str| {
        let lost = loses
            .iter()
            .any(|(name, lost)| *name == typed.name && lost.is_none_or(|lost| lost == value));
        if lost {
            not_shown(&format!("this server loses it: {} {value}", typed.name));
        }
        lost
    };
    let case = |typed: &'static Typed| {
        let values = typed.values.iter().copied().filter(|value| !is_lost(typed, value));
        Case { typed, values: values.collect() }
    };
    TYPES.iter().map(case).filter(|case| !case.values.is_empty()).collect()
}

impl Typed {
    pub(super) fn shown(&self, column: &str) -> String {
        self.shown.map(|expression| expression.replace('@', column)).join(", ")
    }
}

impl Case {
    pub(super) fn value(&self, row: usize) -> String {
        format!("CAST({} AS {})", self.values[row % self.values.len()], self.typed.name)
    }
}

/// The sessions of a carriage, and one that compares.
pub(super) struct Pair {
    pub(super) reader: Session,
    pub(super) writer: Session,
    pub(super) judge: Session,
}

impl Pair {
    pub(super) async fn made() -> Pair {
        made(SOURCE).await;
        made(TARGET).await;
        Pair {
            reader: connected(SOURCE).await,
            writer: connected(TARGET).await,
            judge: connected("master").await,
        }
    }

    /// What the server is asked to carry.
    pub(super) async fn cases(&mut self) -> Vec<Case> {
        let loses = if is_babelfish(&mut self.judge).await { BABELFISH_LOSES } else { &[] };
        cases(loses)
    }

    pub(super) async fn both(&mut self, statement: &str) {
        run(&mut self.reader, &[statement]).await;
        run(&mut self.writer, &[statement]).await;
    }

    /// Carries a table of both sides.
    async fn carry(&mut self, table: &str, bytes: usize) -> Result<u64, Error> {
        let question = format!("SELECT * FROM {table}");
        let target = self.writer.stream(&question).await?;
        let expected = target.columns().to_vec();
        target.cancel().await?;
        let mut selection = self.reader.stream(&question).await?;
        let columns = selection.columns().to_vec();
        assert_eq!(differs(&columns, &expected), None);
        let loaded: Vec<Loaded> =
            columns.into_iter().map(|column| Loaded { column, collation: None }).collect();
        let mut bulk = self.writer.bulk(table, &loaded, HINTS).await?;
        let read = pour(&mut selection, &mut bulk, bytes).await?;
        assert_eq!(bulk.finish().await?, read, "the server has counted other rows");
        Ok(read)
    }

    /// How many rows the sides do not share, by the server's word.
    pub(super) async fn differences(&mut self, table: &str, shown: &str) -> i64 {
        let side = |database: &str| format!("SELECT id, {shown} FROM {database}.{table}");
        let (one, other) = (side(SOURCE), side(TARGET));
        let mut found = 0;
        for (one, other) in [(&one, &other), (&other, &one)] {
            let question =
                format!("SELECT COUNT(*) FROM ({one} EXCEPT {other}) AS d (id, shown, more)");
            found += number(&mut self.judge, &question).await;
        }
        found
    }

    pub(super) async fn ended(self) {
        for session in [self.reader, self.writer, self.judge] {
            session.close().await;
        }
        dropped(&[SOURCE, TARGET]).await;
    }
}

async fn pour(
    selection: &mut Selection<'_>,
    bulk: &mut Bulk<'_>,
    bytes: usize,
) -> Result<u64, Error> {
    let (mut rows, mut out) = (0, Vec::new());
    loop {
        out.clear();
        let filled = selection.fill(&mut out, bytes).await?;
        bulk.rows(&out).await?;
        rows += filled.rows;
        if filled.is_over {
            return Ok(rows);
        }
    }
}

/// Carries a column that may be NULL and one that may not, which travel as different types.
async fn check(pair: &mut Pair, case: &Case) -> Result<(), String> {
    let (name, table, typed) = (case.typed.name, "dbo.carried", case.typed);
    pair.both("DROP TABLE IF EXISTS dbo.carried").await;
    pair.both(&format!("CREATE TABLE {table} (id int NOT NULL, c {name} NULL, d {name} NOT NULL)"))
        .await;
    for row in 0..case.values.len() {
        let value = case.value(row);
        let insert = format!("INSERT INTO {table} (id, c, d) SELECT {row}, {value}, {value}");
        run(&mut pair.reader, &[&insert]).await;
    }
    let value = case.value(0);
    run(&mut pair.reader, &[&format!("INSERT INTO {table} (id, c, d) SELECT -1, NULL, {value}")])
        .await;
    let carried = pair.carry(table, 100_000).await.map_err(|error| error.to_string())?;
    let rows = case.values.len() as u64 + 1;
    let mut wrong = match carried {
        carried if carried == rows => Vec::new(),
        carried => vec![format!("{carried} of {rows} rows")],
    };
    for column in ["c", "d"] {
        match pair.differences(table, &typed.shown(column)).await {
            0 => {}
            count => wrong.push(format!("{count} rows differ in {column}")),
        }
    }
    // The comparison sees one value that is another.
    run(&mut pair.writer, &["UPDATE dbo.carried SET c = NULL WHERE id = 0"]).await;
    if pair.differences(table, &typed.shown("c")).await == 0 {
        wrong.push("the comparison sees nothing".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn every_type_is_carried() {
    let mut pair = Pair::made().await;
    let mut wrong = Vec::new();
    for case in pair.cases().await {
        if let Err(text) = check(&mut pair, &case).await {
            wrong.push(format!("{}: {text}", case.typed.name));
            pair.ended().await;
            pair = Pair::made().await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    pair.ended().await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn a_wide_table_is_carried() {
    const TABLE: &str = "dbo.wide";
    const ROWS: usize = 6;
    let mut pair = Pair::made().await;
    let cases = pair.cases().await;
    let of_all = |text: &dyn Fn(usize, &Case) -> String| {
        let all = cases.iter().enumerate().map(|(at, case)| text(at, case));
        all.collect::<Vec<String>>().join(", ")
    };
    let columns = of_all(&|at, case| format!("c{at} {} NULL", case.typed.name));
    pair.both(&format!("CREATE TABLE {TABLE} (id int NOT NULL, {columns})")).await;
    for row in 0..ROWS {
        // NULL at every fourth column, which is another one in every row.
        let values = of_all(&|at, case| match (at + row) % 4 {
            3 => "NULL".to_owned(),
            _ => case.value(row),
        });
        run(&mut pair.reader, &[&format!("INSERT INTO {TABLE} SELECT {row}, {values}")]).await;
    }
    run(&mut pair.reader, &[&format!("INSERT INTO {TABLE} (id) VALUES (-1)")]).await;
    assert_eq!(pair.carry(TABLE, 50_000).await.unwrap(), ROWS as u64 + 1);
    for (at, case) in cases.iter().enumerate() {
        let differences = pair.differences(TABLE, &case.typed.shown(&format!("c{at}"))).await;
        assert_eq!(differences, 0, "{}", case.typed.name);
    }
    let missing = "SELECT COUNT(*) FROM dbferry_test_target.dbo.wide";
    assert_eq!(number(&mut pair.judge, missing).await, ROWS as i64 + 1);
    pair.ended().await;
}

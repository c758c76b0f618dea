//! Rows from a result into a bulk load, as bytes.

use engine::mssql::bulk::Bulk;
use engine::mssql::carry::{Hints, Loaded};
use engine::mssql::packet::READ_BYTES;
use engine::mssql::session::Selection;

use super::*;

const HINTS: Hints = Hints { keep_nulls: true, lock_table: false, check_constraints: false };
const COLLATION: &[u8] = b"\x09\x04\xd0\x00\x34";

fn text_type(code: u8, length: u16) -> Vec<u8> {
    [&[code][..], &length.to_le_bytes(), COLLATION].concat()
}

/// A column, two values of it, and its TYPE_INFO in a bulk load where that is another.
type Typed = (Column, [Vec<u8>; 2], Option<Vec<u8>>);

/// A column of each type that there is.
fn every_type() -> Vec<Typed> {
    let plain = |code: &[u8], one: &[u8], other: &[u8]| {
        (Column::new("c", code), [one.to_vec(), other.to_vec()], None)
    };
    let fixed = |code: &[u8], one: &[u8], other: &[u8]| {
        (Column::new("c", code).not_null(), [one.to_vec(), other.to_vec()], None)
    };
    let long = vec![0xab; 100_000];
    let mut all = vec![
        fixed(b"\x30", &[0], &[255]),
        fixed(b"\x32", &[0], &[1]),
        fixed(b"\x34", &[0, 0x80], &[0xff, 0x7f]),
        fixed(b"\x38", &[0, 0, 0, 0x80], &[0xff, 0xff, 0xff, 0x7f]),
        fixed(b"\x7f", &[0; 8], &[0xff; 8]),
        fixed(b"\x3b", &[1; 4], &[2; 4]),
        fixed(b"\x3e", &[1; 8], &[2; 8]),
        fixed(b"\x3c", &[1; 8], &[2; 8]),
        fixed(b"\x7a", &[1; 4], &[2; 4]),
        fixed(b"\x3d", &[1; 8], &[2; 8]),
        fixed(b"\x3a", &[1; 4], &[2; 4]),
        plain(b"\x26\x01", &[0], &[255]),
        plain(b"\x26\x08", &[0; 8], &[255; 8]),
        plain(b"\x68\x01", &[0], &[1]),
        plain(b"\x6d\x08", &[0; 8], &[0x7f; 8]),
        plain(b"\x6e\x04", &[0; 4], &[0xff; 4]),
        plain(b"\x6f\x08", &[0; 8], &[9; 8]),
        plain(b"\x24\x10", &[0; 16], &[0xff; 16]),
        plain(b"\x6a\x11\x26\x00", &[0; 17], &[0xff; 17]),
        (
            Column::new("c", b"\x6c\x05\x09\x02"),
            [vec![1, 0, 0, 0, 0], vec![0, 9, 9, 9, 9]],
            Some(b"\x6c\x11\x09\x02".to_vec()),
        ),
        plain(b"\x28", &[0; 3], &[0xda, 0xb9, 0x37]),
    ];
    for scale in 0..=7_u8 {
        let time = [3, 3, 3, 4, 4, 5, 5, 5][usize::from(scale)];
        for (code, more) in [(0x29, 0), (0x2a, 3), (0x2b, 5)] {
            let value = vec![scale; time + more];
            all.push(plain(&[code, scale], &value, &value));
        }
    }
    for (code, length) in [(0xa7, 8000), (0xaf, 10), (0xe7, 8000), (0xef, 20)] {
        let value = vec![b'x'; usize::from(length)];
        all.push(plain(&text_type(code, length), &[], &value));
    }
    all.push(plain(b"\xa5\x40\x1f", &[], &[0; 8000]));
    all.push(plain(b"\xad\x02\x00", &[0; 2], &[0xff; 2]));
    all.push(plain(&text_type(0xa7, 0xffff), &[], &long));
    all.push(plain(&text_type(0xe7, 0xffff), &[], &long));
    all.push(plain(b"\xa5\xff\xff", &[], &long));
    all.push(plain(
        b"\x62\x49\x1f\0\0",
        b"\x38\0\x01\0\0\0",
        b"\xa7\x07\x09\x04\xd0\x00\x34\x40\x1f",
    ));
    let as_text = Some(b"\xe7\xff\xff\0\0\0\0\0".to_vec());
    let (one, other) = (utf16("<a/>"), utf16(&"<b/>".repeat(20_000)));
    all.push((Column::new("c", b"\xf1\0"), [one.clone(), other.clone()], as_text.clone()));
    all.push((Column::new("c", b"\xf1\x01\x01d\0\x01s\0\x01\0x\0"), [one, other], as_text));
    let udt = b"\xf0\xff\xff\x01d\0\x03s\0y\0s\0\x02h\0i\0\x01\0a\0";
    all.push((Column::new("c", udt), [vec![0x58], vec![1; 900]], Some(b"\xa5\xff\xff".to_vec())));
    let blob = [&b"\x23\xff\xff\xff\x7f"[..], COLLATION].concat();
    all.push(plain(&blob, b"", &long));
    all.push(plain(&[&b"\x63\xfe\xff\xff\x7f"[..], COLLATION].concat(), b"", &long));
    all.push(plain(b"\x22\xff\xff\xff\x7f", b"", &long));
    all
}

async fn carry(selection: &mut Selection<'_>, bulk: &mut Bulk<'_>, bytes: usize) -> (u64, usize) {
    let (mut rows, mut pieces) = (0, 0);
    loop {
        let mut out = Vec::new();
        let filled = selection.fill(&mut out, bytes).await.unwrap();
        rows += filled.rows;
        pieces += 1;
        bulk.rows(&out).await.unwrap();
        if filled.is_over {
            return (rows, pieces);
        }
    }
}

/// A value as a load has it: decimals have all bytes.
fn loaded(column: &Column, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if matches!(column.type_info[0], 0x6a | 0x6c) {
        value.resize(17, 0);
    }
    value
}

async fn check_carried(rows: Rows, described: &[Option<Vec<u8>>], piece: usize, packet: usize) {
    let answers = vec![("SELECT c".to_owned(), Answer::Rows(rows.clone()))];
    let script = Script { answers, packet_bytes: packet, ..Script::default() };
    let peer = Peer::start(script).unwrap();
    let (mut reader, mut writer) = (connected(&peer).await, connected(&peer).await);
    let mut selection = reader.stream("SELECT c").await.unwrap();
    let collation = Some("Latin1_General_CI_AS".to_owned());
    let columns: Vec<Loaded> = selection
        .columns()
        .iter()
        .map(|column| Loaded { column: column.clone(), collation: collation.clone() })
        .collect();
    let mut bulk = writer.bulk("[d].[s].[t]", &columns, HINTS).await.unwrap();
    let (count, _) = carry(&mut selection, &mut bulk, piece).await;
    assert_eq!(bulk.finish().await.unwrap(), rows.rows.len() as u64);
    assert_eq!(count, rows.rows.len() as u64);
    assert!(reader.is_idle() && writer.is_idle());
    let load = &peer.loads()[0];
    assert!(load.statement.starts_with("INSERT BULK [d].[s].[t] ("), "{}", load.statement);
    let sent = rows.rows.iter().map(|row| {
        let cells = row.iter().zip(&rows.columns);
        cells.map(|(cell, column)| cell.as_ref().map(|cell| loaded(column, cell))).collect()
    });
    assert_eq!(load.rows.rows, sent.collect::<Vec<Vec<Cell>>>());
    for ((sent, column), described) in load.rows.columns.iter().zip(&rows.columns).zip(described) {
        let type_info = described.clone().unwrap_or_else(|| column.type_info.clone());
        assert_eq!((&sent.name, &sent.type_info), (&column.name, &type_info));
        assert_eq!(sent.nullable, column.nullable);
    }
    assert_eq!(peer.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn every_type_is_carried_exactly() {
    let all = every_type();
    let name =
        |(index, column): (usize, &Column)| Column { name: format!("c]{index}"), ..column.clone() };
    let columns = all.iter().map(|(column, ..)| column).enumerate().map(name).collect();
    let value = |which: usize| all.iter().map(move |(_, values, _)| Some(values[which].clone()));
    // NULL wherever it may be, and only at every other column.
    let null = |every: usize| {
        all.iter().enumerate().map(move |(index, (column, values, _))| {
            (!column.nullable || index % every != 0).then(|| values[0].clone())
        })
    };
    let rows: Vec<Vec<Cell>> =
        vec![value(0).collect(), null(1).collect(), value(1).collect(), null(2).collect()];
    let described: Vec<_> = all.iter().map(|(_, _, described)| described.clone()).collect();
    for compact in [false, true] {
        let rows = Rows { columns: Vec::clone(&columns), rows: rows.clone(), compact };
        check_carried(rows.clone(), &described, 1 << 20, 4096).await;
        check_carried(rows, &described, 1000, 512).await;
    }
}

#[tokio::test]
async fn many_rows_end_in_the_last_packet_whatever_their_length() {
    let columns = vec![Column::new("n", b"\x26\x04"), Column::new("t", &text_type(0xa7, 100))];
    // Among these lengths are those at which the end falls on the end of a packet.
    for count in (0..20).chain(400..420) {
        let row = |n: u32| vec![Some(n.to_le_bytes().to_vec()), Some(vec![b'x'; n as usize % 7])];
        let rows =
            Rows { columns: columns.clone(), rows: (0..count).map(row).collect(), compact: false };
        check_carried(rows, &[None, None], 300, 512).await;
    }
}

#[tokio::test]
async fn pieces_end_at_rows_unless_a_row_is_longer() {
    let columns = vec![Column::new("b", b"\xa5\xff\xff")];
    let long = vec![Some(vec![7; 3_000_000])];
    let rows = Rows { columns, rows: vec![vec![None], long, vec![None]], compact: false };
    let (_peer, mut session) = asked("SELECT b", Answer::Rows(rows)).await;
    let mut selection = session.stream("SELECT b").await.unwrap();
    let mut seen = Vec::new();
    loop {
        let mut out = Vec::new();
        let filled = selection.fill(&mut out, 10_000).await.unwrap();
        assert!(out.len() <= 2 * 10_000 + READ_BYTES, "{} bytes are held", out.len());
        seen.push(filled.at_row_end);
        if filled.is_over {
            break;
        }
    }
    assert!(seen.len() > 10 && seen.iter().any(|end| !end) && seen.last() == Some(&true));
}

#[tokio::test]
async fn a_refused_load_is_an_error_and_the_session_goes_on() {
    let text = "Cannot insert duplicate key".to_owned();
    let refusal = Refusal { number: 2627, class: 14, state: 1, text };
    let peer = Peer::start(Script { load_refusal: Some(refusal), ..Script::default() }).unwrap();
    let mut session = connected(&peer).await;
    let bulk = session.bulk("[t]", &[], HINTS).await.unwrap();
    let error = bulk.finish().await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Statement, Some(2627)));
    assert!(session.is_idle());
    // A load that is given up in its middle.
    session.bulk("[t]", &[], HINTS).await.unwrap();
    refused(session.run("SELECT 1").await, ErrorKind::LostConnection, "on its way");
}

//! First bytes → kind, for archives and for what people pass by mistake.
//!
//! Promises: SQL text is never taken for anything else (every rule needs bytes that no SQL text
//! begins with). Does not look further than [`super::HEAD_BYTES`], nor tell text encodings apart.

use super::Kind;

/// Shortest beginning of a magic that is believed when the whole input is no longer than that.
const PARTIAL_BYTES_MIN: usize = 2;

const ARCHIVES: &[(&[u8], Kind)] = &[
    (b"\x1f\x8b", Kind::Gzip),
    (b"\x28\xb5\x2f\xfd", Kind::Zstd),
    (b"\xfd7zXZ\x00", Kind::Xz),
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"PK\x07\x08", Kind::Zip),
];

const FOREIGN: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "an ELF program"),
    (b"MZ\x90\x00", "a Windows program"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PGDMP", "a PostgreSQL custom-format dump (use pg_restore)"),
    (b"XBSTCK01", "an xbstream backup (use xbstream or mbstream)"),
    (b"TAPE\x00\x00", "an SQL Server backup (use RESTORE DATABASE)"),
    (b"MSSQLBAK", "a compressed SQL Server backup (use RESTORE DATABASE)"),
    (b"\xfebin", "a MySQL binary log (use mysqlbinlog)"),
    (b"\xfe\x01\x07", "a MySQL .frm table definition"),
    (b"\xfe\x01\x08", "a MySQL .frm table definition"),
    (b"\xfe\x01\x09", "a MySQL .frm table definition"),
    (b"\xfe\x01\x0a", "a MySQL .frm table definition"),
    (b"\xfe\x01\x0b", "a MySQL .frm table definition"),
    (b"\xfe\xfe\x07", "a MyISAM index"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"\x1f\x9d", "a compress (.Z) archive"),
    (b"LZIP\x01", "an lzip archive"),
    (b"qpress10", "a qpress archive"),
    (b"Salted__", "a file encrypted by openssl"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Microsoft Office document"),
    (b"PAR1", "a Parquet file"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\x00\x00\xfe\xff", "UTF-32 text"),
];

/// Says what an input is by its first bytes: [`super::HEAD_BYTES`] of them, or all there are.
pub fn detect(head: &[u8]) -> Kind {
    if let Some((_, kind)) = ARCHIVES.iter().find(|(magic, _)| begins(head, magic)) {
        return *kind;
    }
    if is_zstd_skippable(head) {
        return Kind::Zstd;
    }
    if is_bzip2(head) {
        return Kind::Bzip2;
    }
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Kind::Foreign(what);
    }
    if is_tar(head) {
        return Kind::Foreign("a tar archive");
    }
    if is_innodb(head) {
        return Kind::Foreign("an InnoDB tablespace (.ibd)");
    }
    if is_html(head) {
        return Kind::Foreign("an HTML page");
    }
    Kind::Plain
}

/// A magic, or an input cut within a magic that no text begins with.
fn begins(head: &[u8], magic: &[u8]) -> bool {
    let cut = head.len() >= PARTIAL_BYTES_MIN && !magic[0].is_ascii_alphabetic();
    head.starts_with(magic) || (cut && magic.starts_with(head))
}

fn is_zstd_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// `BZh`, the level, and the mark of a block or of the end of the stream.
fn is_bzip2(head: &[u8]) -> bool {
    let Some((start, rest)) = head.split_at_checked(4) else { return false };
    let mark = |mark: &[u8]| rest.starts_with(mark) || mark.starts_with(rest);
    matches!(start, [b'B', b'Z', b'h', b'1'..=b'9'])
        && (mark(b"\x31\x41\x59\x26\x53\x59") || mark(b"\x17\x72\x45\x38\x50\x90"))
}

/// A tar header proves itself by its checksum; old ones have no magic.
fn is_tar(head: &[u8]) -> bool {
    const HEADER_BYTES: usize = 512;
    const SUM: std::ops::Range<usize> = 148..156;
    let Some(header) = head.get(..HEADER_BYTES) else { return false };
    let digits: Vec<u8> =
        header[SUM].iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
    let stated =
        std::str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(index, byte)| u32::from(if SUM.contains(&index) { b' ' } else { *byte }))
        .sum();
    stated == Some(sum)
}

/// The first page of a tablespace: page number 0, type FSP_HDR, the space id twice.
fn is_innodb(head: &[u8]) -> bool {
    head.len() >= 42
        && head[4..8] == [0; 4]
        && head[24..26] == [0, 8]
        && head[34..38] == head[38..42]
}

/// A download that went wrong.
fn is_html(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    [&b"<!doctype html"[..], b"<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}

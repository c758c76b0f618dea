//! What is changed in the text of `SHOW CREATE TABLE` so that the other kind of server reads it.
//!
//! Pure. Knows the one form that servers write, as [`definition`] does: everything outside quotes is
//! the server's own. Promises: only what means the same is written instead; everything that is lost
//! or cannot be said is told.

use crate::import::indexes::definition;

/// What was found in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The text for the target.
    pub text: String,
    /// What cannot be said there: where in the table, what, and what to do.
    pub obstacles: Vec<(String, String, String)>,
    /// What is not quite the same: where in the table, and what.
    pub remarks: Vec<(String, String)>,
}

/// For MariaDB, what MySQL wrote.
pub fn for_mariadb(text: &str, has_vector: bool) -> Rewritten {
    let mut out = Rewritten::default();
    let lines: Vec<String> =
        text.split('\n').map(|line| mariadb_line(line, has_vector, &mut out)).collect();
    out.text = lines.join("\n");
    out
}

fn mariadb_line(line: &str, has_vector: bool, out: &mut Rewritten) -> String {
    let place = place(line);
    let bare = definition::unquoted(line);
    let mut changed = line.to_owned();
    if bare.contains("/*!80003 SRID ") {
        let number = between(&bare, "/*!80003 SRID ", " */").unwrap_or_default().to_owned();
        changed =
            outside(&changed, |part| part.replace(&format!(" /*!80003 SRID {number} */"), ""));
        out.remarks.push((
            place.clone(),
            format!("MariaDB does not hold the column to SRID {number}; its values keep theirs"),
        ));
    }
    if !has_vector && type_of(line) == Some("vector") {
        obstacle(out, &place, "MariaDB has no type VECTOR before 11.7", "store it as VARBINARY");
    }
    if bare.contains("/*!80016 NOT ENFORCED */") {
        let advice = "drop it on the source, or have it enforced";
        obstacle(out, &place, "MariaDB would enforce a CHECK that is NOT ENFORCED", advice);
    }
    if bare.contains("WITH PARSER ") {
        let advice = "drop it on the source and make it on the target with what MariaDB has";
        obstacle(out, &place, "MariaDB does not have the key's full-text parser", advice);
    }
    changed = outside(&changed, |part| {
        part.replace(" /*!80023 INVISIBLE */", " INVISIBLE")
            .replace(" /*!80000 INVISIBLE */", " IGNORED")
            .replace(" /*!80016 NOT ENFORCED */", "")
            .replace(" geomcollection", " geometrycollection")
    });
    changed = without_introducers(&changed);
    if line.starts_with(')') {
        changed = mariadb_options(&changed, out);
    }
    without_foreign_comments(&changed, &place, out)
}

/// MariaDB loses the quotes in a literal with its character set before it, when it keeps the expression
/// of a default. The session's character set is the same.
fn without_introducers(line: &str) -> String {
    outside(line, |part| part.strip_suffix("_utf8mb4").unwrap_or(part).to_owned())
}

fn mariadb_options(line: &str, out: &mut Rewritten) -> String {
    let mut line = line.to_owned();
    for method in ["zlib", "lz4", "none", ""] {
        let option = format!(" COMPRESSION='{method}'");
        if let Some(at) = find_option(&line, &option) {
            let instead = if matches!(method, "none" | "") { "" } else { " PAGE_COMPRESSED=1" };
            line.replace_range(at..at + option.len(), instead);
        }
    }
    for option in [" /*!80016 ENCRYPTION='Y' */", " ENCRYPTION='Y'"] {
        if let Some(at) = find_option(&line, option) {
            line.replace_range(at..at + option.len(), " ENCRYPTED=YES");
            let text = "is encrypted; the target needs an encryption plugin, with keys of its own";
            out.remarks.push((String::new(), text.to_owned()));
        }
    }
    for option in [" /*!80016 ENCRYPTION='N' */", " ENCRYPTION='N'"] {
        if let Some(at) = find_option(&line, option) {
            line.replace_range(at..at + option.len(), "");
        }
    }
    line
}

/// An option of the table, which stands before its comment.
fn find_option(line: &str, option: &str) -> Option<usize> {
    let end = line.find(" COMMENT='").unwrap_or(line.len());
    line[..end].find(option)
}

/// Without the comments that only MySQL executes; what stood in them is told.
fn without_foreign_comments(line: &str, place: &str, out: &mut Rewritten) -> String {
    let mut lost = Vec::new();
    let kept = outside(line, |part| {
        let mut part = part.to_owned();
        let mut from = 0;
        while let Some(at) = part[from..].find("/*!").map(|at| at + from) {
            let version: u32 = part.get(at + 3..at + 8).and_then(|v| v.parse().ok()).unwrap_or(0);
            let end = part[at..].find("*/").map(|end| at + end + 2);
            match end {
                Some(end) if (50_700..=99_999).contains(&version) => {
                    lost.push(part[at + 8..end - 2].trim().to_owned());
                    let start = at - usize::from(part[..at].ends_with(' '));
                    part.replace_range(start..end, "");
                    from = start;
                }
                _ => from = at + 3,
            }
        }
        part
    });
    let told = lost
        .into_iter()
        .map(|what| (place.to_owned(), format!("MariaDB has no {what}; it is left out")));
    out.remarks.extend(told);
    kept
}

/// For MySQL, what MariaDB wrote.
pub fn for_mysql(text: &str, version: (u16, u16, u16)) -> Rewritten {
    let mut out = Rewritten::default();
    let lines: Vec<String> =
        text.split('\n').map(|line| mysql_line(line, version, &mut out)).collect();
    out.text = lines.join("\n");
    out
}

fn mysql_line(line: &str, version: (u16, u16, u16), out: &mut Rewritten) -> String {
    let place = place(line);
    let bare = definition::unquoted(line);
    if line.starts_with("  `") {
        return mysql_column(line, &place, version, out);
    }
    if line.starts_with(')') {
        if bare.contains("WITH SYSTEM VERSIONING") {
            let advice = "ALTER TABLE … DROP SYSTEM VERSIONING on the source";
            obstacle(out, &place, "MySQL has no system versioning", advice);
        }
        return mysql_options(line);
    }
    if bare.contains("WITHOUT OVERLAPS") || bare.trim_start().starts_with("PERIOD FOR ") {
        obstacle(out, &place, "MySQL has no periods", "drop the period on the source");
    }
    match line.trim_end_matches(',').strip_suffix(" IGNORED") {
        Some(key) => {
            let comma = if line.ends_with(',') { "," } else { "" };
            format!("{key} INVISIBLE{comma}")
        }
        None => line.to_owned(),
    }
}

/// Types that only MariaDB has, and what to use instead.
const OWN_TYPES: [(&str, &str); 4] = [
    ("uuid", "make it BINARY(16) or CHAR(36) on the source"),
    ("inet6", "make it VARBINARY(16) or VARCHAR(45) on the source"),
    ("inet4", "make it INT UNSIGNED or VARCHAR(15) on the source"),
    ("xmltype", "make it LONGTEXT on the source"),
];

fn mysql_column(line: &str, place: &str, version: (u16, u16, u16), out: &mut Rewritten) -> String {
    let bare = definition::unquoted(line);
    let data_type = type_of(line).unwrap_or_default();
    if let Some((name, advice)) = OWN_TYPES.iter().find(|(name, _)| *name == data_type) {
        obstacle(out, place, &format!("MySQL has no type {}", name.to_uppercase()), advice);
    }
    if data_type == "vector" && version < (9, 0, 0) {
        obstacle(out, place, "MySQL has no type VECTOR before 9.0", "store it as VARBINARY");
    }
    let scale = between(&bare, " decimal(", ")").and_then(|digits| digits.split_once(','));
    if scale.and_then(|(_, scale)| scale.parse::<u32>().ok()).is_some_and(|scale| scale > 30) {
        obstacle(out, place, "MySQL's DECIMAL has 30 decimals at most", "make it DECIMAL(…,30)");
    }
    if bare.contains(" INVISIBLE") && version < (8, 0, 23) {
        let advice = "make it visible on the source";
        obstacle(out, place, "MySQL has no invisible columns before 8.0.23", advice);
    }
    if bare.contains(" DEFAULT nextval(") {
        let advice = "make the column AUTO_INCREMENT on the source";
        obstacle(out, place, "its default takes values of a sequence, which MySQL has not", advice);
    }
    if bare.contains("GENERATED ALWAYS AS ROW ") {
        let advice = "ALTER TABLE … DROP SYSTEM VERSIONING on the source";
        obstacle(out, place, "MySQL has no system versioning", advice);
    }
    if bare.contains("COMPRESSED*/") {
        out.remarks.push((
            place.to_owned(),
            "MySQL has no compressed columns; it is stored plain".to_owned(),
        ));
    }
    let check = format!(" CHECK (json_valid(`{}`))", name_of(line).replace('`', "``"));
    let is_json = ends_with_check(line, &check);
    if is_json && data_type == "longtext" {
        let text = "stays LONGTEXT that has to be JSON, byte for byte; MySQL's JSON would write its \
                    text anew: ALTER TABLE … MODIFY … JSON afterwards, if that is wanted";
        out.remarks.push((place.to_owned(), text.to_owned()));
    }
    with_default(line, data_type)
}

/// Whether a column's line ends with this check; a comment may follow.
fn ends_with_check(line: &str, check: &str) -> bool {
    let end = find_bare(line, " COMMENT ").unwrap_or(line.len());
    line[..end].trim_end_matches(',').ends_with(check)
}

fn name_of(line: &str) -> String {
    definition::quoted(line.trim_start()).map(|(name, _)| name).unwrap_or_default()
}

/// MySQL wants expressions in parentheses, and for long types literals too.
fn with_default(line: &str, data_type: &str) -> String {
    const DEFAULT: &str = " DEFAULT ";
    let Some(at) = find_bare(line, DEFAULT).map(|at| at + DEFAULT.len()) else {
        return line.to_owned();
    };
    let value = &line[at..];
    let end = at + value_length(value);
    let value = &line[at..end];
    let is_long = ["tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob"]
        .contains(&data_type)
        || ["longblob", "json", "geometry", "point"].contains(&data_type);
    let is_time = matches!(data_type, "timestamp" | "datetime");
    let is_plain = match value.as_bytes() {
        [b'(', ..] | b"NULL" => true,
        _ if value.starts_with("current_timestamp") => is_time,
        [b'\'' | b'-' | b'+' | b'.' | b'0'..=b'9', ..] => !is_long,
        [b'X' | b'x' | b'b', b'\'', ..] => !is_long,
        _ => false,
    };
    match is_plain {
        true => line.to_owned(),
        false => format!("{}({value}){}", &line[..at], &line[end..]),
    }
}

/// Bytes of the value at the start: a literal, a word, a call, or something in parentheses.
fn value_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'\'' | b'`' => {
                at += definition::quoted_length(&text[at..]).unwrap_or(text.len() - at);
                continue;
            }
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b' ' | b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Options of storage engines stand in backquotes.
fn mysql_options(line: &str) -> String {
    const COMPRESSED: [&str; 4] = ["'1'", "1", "'ON'", "ON"];
    let mut kept = line.to_owned();
    let mut from = 0;
    while let Some(at) = kept[from..].find(" `").map(|at| at + from) {
        // A comment is quoted: what looks like an option in it is none.
        if kept[..at].matches('\'').count() % 2 == 1 {
            from = at + 2;
            continue;
        }
        let name_end = at + 1 + definition::quoted_length(&kept[at + 1..]).unwrap_or(1);
        if !kept[name_end..].starts_with('=') {
            from = name_end;
            continue;
        }
        let end = name_end + 1 + value_length(&kept[name_end + 1..]);
        let name = kept[at + 2..name_end - 1].to_ascii_lowercase();
        let is_on = COMPRESSED.iter().any(|on| kept[name_end + 1..end].eq_ignore_ascii_case(on));
        let instead = if name == "page_compressed" && is_on { " COMPRESSION='zlib'" } else { "" };
        kept.replace_range(at..end, instead);
        from = at;
    }
    for option in [" PAGE_CHECKSUM=0", " PAGE_CHECKSUM=1", " TRANSACTIONAL=0", " TRANSACTIONAL=1"] {
        kept = outside(&kept, |part| part.replace(option, ""));
    }
    kept
}

fn obstacle(out: &mut Rewritten, place: &str, what: &str, advice: &str) {
    out.obstacles.push((place.to_owned(), what.to_owned(), advice.to_owned()));
}

/// What a line is about: `column a`, `key b`, `constraint c`, or the table itself.
fn place(line: &str) -> String {
    let text = line.trim_start();
    if let Some((name, _)) = definition::quoted(text) {
        return format!("column {name}");
    }
    let quoted = text.find('`').and_then(|at| definition::quoted(&text[at..]));
    let name = quoted.map(|(name, _)| name).unwrap_or_default();
    match text.split(' ').next() {
        Some("PRIMARY") => "primary key".to_owned(),
        Some("KEY" | "UNIQUE" | "FULLTEXT" | "SPATIAL") => format!("key {name}"),
        Some("CONSTRAINT") => format!("constraint {name}"),
        Some("PERIOD") => format!("period {name}"),
        _ => String::new(),
    }
}

/// The type's name on a column's line.
fn type_of(line: &str) -> Option<&str> {
    let (_name, rest) = definition::quoted(line.trim_start())?;
    let rest = rest.strip_prefix(' ')?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    Some(&rest[..end])
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

/// Where this stands outside of quotes.
fn find_bare(text: &str, wanted: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let plain = text[at..].find(['\'', '`']).map_or(text.len(), |quote| at + quote);
        if let Some(found) = text[at..plain].find(wanted) {
            return Some(at + found);
        }
        // What is wanted may end where a quote begins.
        at = plain + definition::quoted_length(&text[plain..]).unwrap_or(text.len() - plain);
    }
    None
}

/// The text with what stands outside of quotes changed.
pub fn outside(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(['\'', '`']).unwrap_or(rest.len());
        out.push_str(&change(&rest[..plain]));
        rest = &rest[plain..];
        let quoted = definition::quoted_length(rest).unwrap_or(rest.len());
        out.push_str(&rest[..quoted]);
        rest = &rest[quoted..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_mysql(line: &str, expected: &str) {
        assert_eq!(mysql_line(line, (9, 7, 0), &mut Rewritten::default()), expected);
    }

    #[track_caller]
    fn check_mariadb(line: &str, expected: &str) {
        assert_eq!(mariadb_line(line, false, &mut Rewritten::default()), expected);
    }

    #[test]
    fn defaults_for_mysql_are_in_parentheses() {
        check_mysql("  `a` text DEFAULT 'it''s, x',", "  `a` text DEFAULT ('it''s, x'),");
        check_mysql("  `a` char(36) DEFAULT uuid(),", "  `a` char(36) DEFAULT (uuid()),");
        check_mysql(
            "  `a` varchar(9) DEFAULT concat('a b',`x`) COMMENT 'c'",
            "  `a` varchar(9) DEFAULT (concat('a b',`x`)) COMMENT 'c'",
        );
        for same in [
            "  `a` int(11) DEFAULT -1,",
            "  `a` varchar(9) DEFAULT 'a b' CHECK (`a` <> ' DEFAULT x')",
            "  `a` text DEFAULT NULL,",
            "  `a` datetime(3) DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),",
            "  `a` int(11) DEFAULT (1 + 1),",
            "  `a` bit(3) DEFAULT b'101',",
            "  ` DEFAULT x` int(11) NOT NULL,",
        ] {
            check_mysql(same, same);
        }
        check_mysql(
            "  `a` time DEFAULT current_timestamp(),",
            "  `a` time DEFAULT (current_timestamp()),",
        );
    }

    #[test]
    fn options_of_mariadb_are_said_as_mysql_does() {
        check_mysql("  KEY `a IGNORED` (`b`) IGNORED,", "  KEY `a IGNORED` (`b`) INVISIBLE,");
        check_mysql(
            ") ENGINE=InnoDB COMMENT='it''s `x`=1' `page_compressed`='1' `x`=5",
            ") ENGINE=InnoDB COMMENT='it''s `x`=1' COMPRESSION='zlib'",
        );
    }

    #[test]
    fn what_mariadb_would_pass_over_is_said_as_it_does() {
        check_mariadb(
            "  `a` int DEFAULT '7' /*!80023 INVISIBLE */,",
            "  `a` int DEFAULT '7' INVISIBLE,",
        );
        check_mariadb("  KEY `k` (`a`) /*!80000 INVISIBLE */,", "  KEY `k` (`a`) IGNORED,");
        check_mariadb(
            ") /*!80023 AUTOEXTEND_SIZE=4194304 */ ENGINE=InnoDB COMPRESSION='zlib' COMMENT=' COMPRESSION=''zlib'''",
            ") ENGINE=InnoDB PAGE_COMPRESSED=1 COMMENT=' COMPRESSION=''zlib'''",
        );
        check_mariadb(
            "  `t` text DEFAULT (concat(_utf8mb4'it\\'s',`a_utf8mb4`)),",
            "  `t` text DEFAULT (concat('it\\'s',`a_utf8mb4`)),",
        );
        check_mariadb("/*!50100 PARTITION BY KEY (i) */", "/*!50100 PARTITION BY KEY (i) */");
        check_mariadb(
            "  `a` varchar(9) DEFAULT '/*!80000 x */'",
            "  `a` varchar(9) DEFAULT '/*!80000 x */'",
        );
    }
}

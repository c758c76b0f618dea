//! Names and texts as T-SQL writes them.
//!
//! Promises: whatever the name holds, [`quoted`] is one identifier and [`literal`] one string, also
//! where QUOTED_IDENTIFIER is off. Knows no reserved words: every name is quoted.

/// A name between brackets, with `]` doubled.
pub fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// `[schema].[name]`.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// A Unicode string literal, with `'` doubled.
pub fn literal(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// Names between brackets, with commas.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    names.join(", ")
}

/// Bytes as a binary literal.
pub fn binary(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    for byte in bytes {
        text.push_str(&format!("{byte:02X}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("plain"), "[plain]");
        assert_eq!(quoted("a]b[c"), "[a]]b[c]");
        assert_eq!(quoted("]; DROP TABLE x --"), "[]]; DROP TABLE x --]");
        assert_eq!(qualified("select", "größe 表"), "[select].[größe 表]");
        assert_eq!(literal("it's"), "N'it''s'");
        assert_eq!(binary(&[0, 255]), "0x00FF");
        assert_eq!(listed(["a", "b]"]), "[a], [b]]]");
    }
}

//! One tree for both formats: fields, and lists whose members have a name.
//!
//! JSON has a list as an object of one array, `{"Region":[…]}`; XML repeats an element of that
//! name. XML has no way to write most control characters: U+FFFD stands for them, for a strange
//! comment of a database must not make an answer unreadable.

use serde_json::{Map, Value};

/// A value of an answer.
pub(super) enum Element {
    /// Text.
    Text(String),
    /// A whole number; XML writes it like text.
    Number(u64),
    /// `true` or `false`; XML writes it like text.
    Flag(bool),
    /// Named values, each name once.
    Fields(Vec<(&'static str, Element)>),
    /// Values that have one name together.
    List(&'static str, Vec<Element>),
}

/// A text of its own.
pub(super) fn text(text: &str) -> Element {
    Element::Text(text.to_owned())
}

impl Element {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => Value::Number((*number).into()),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Fields(fields) => {
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect()
            }
            Self::List(name, items) => {
                let items = items.iter().map(Self::json).collect();
                Value::Object(Map::from_iter([((*name).to_owned(), Value::Array(items))]))
            }
        }
    }

    /// A whole document with this element as its root.
    pub(super) fn xml(&self, root: &str) -> String {
        let mut out = r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned();
        self.write(root, &mut out);
        out
    }

    fn write(&self, name: &str, out: &mut String) {
        out.extend(["<", name, ">"]);
        match self {
            Self::Text(text) => escape(text, out),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Fields(fields) => fields.iter().for_each(|(name, value)| value.write(name, out)),
            Self::List(name, items) => items.iter().for_each(|item| item.write(name, out)),
        }
        out.extend(["</", name, ">"]);
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A reader would make a line feed of it.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
#[track_caller]
fn check(element: &Element, json: &str, xml: &str) {
    assert_eq!(element.json().to_string(), json);
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    assert_eq!(element.xml("R"), format!("{head}<R>{xml}</R>"));
}

#[test]
fn both_formats_say_the_same() {
    let items = |list: Vec<Element>| Element::Fields(vec![("Items", Element::List("Item", list))]);
    check(&items(vec![]), r#"{"Items":{"Item":[]}}"#, "<Items></Items>");
    let item = |number| Element::Fields(vec![("Id", Element::Number(number))]);
    check(
        &items(vec![item(1), item(u64::MAX)]),
        r#"{"Items":{"Item":[{"Id":1},{"Id":18446744073709551615}]}}"#,
        "<Items><Item><Id>1</Id></Item><Item><Id>18446744073709551615</Id></Item></Items>",
    );
    check(&Element::Flag(true), "true", "true");
    check(&text(""), "\"\"", "");
}

#[test]
fn text_is_escaped_in_each_formats_way() {
    check(&text("<a&b>\"'"), r#""<a&b>\"'""#, "&lt;a&amp;b&gt;&quot;&apos;");
    check(&text("中\t\n\r"), "\"中\\t\\n\\r\"", "中\t\n&#13;");
    check(&text("]]>\u{0}\u{1b}\u{fffe}😀"), "\"]]>\\u0000\\u001b\u{fffe}😀\"", {
        "]]&gt;\u{fffd}\u{fffd}\u{fffd}😀"
    });
}

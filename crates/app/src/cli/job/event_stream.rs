//! Server-sent events as they are read: bytes in, events out.
//!
//! Promises: any cut of the bytes gives the same events; nothing that never ends is gathered.

/// Bytes of one event.
const EVENT_MAX: usize = 4 << 20;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, if it has one.
    pub id: Option<String>,
    /// What it is of.
    pub name: String,
    /// What it says.
    pub data: String,
}

/// What was read of the next event.
#[derive(Default)]
pub struct Parser {
    line: Vec<u8>,
    id: Option<String>,
    name: String,
    data: Vec<String>,
    bytes: usize,
}

/// An event is longer than any of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Parser {
    /// Reads bytes; gives the events that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => events.extend(self.line()),
                _ => self.line.push(*byte),
            }
            self.bytes += 1;
            if self.bytes > EVENT_MAX {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    /// Takes a line in; an empty one completes an event.
    fn line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            let gathered = std::mem::take(self);
            let is_event = !gathered.data.is_empty();
            let (id, name) = (gathered.id, gathered.name);
            return is_event.then(|| Event { id, name, data: gathered.data.join("\n") });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push(value.to_owned()),
            // A comment, which shows that the other side lives, or something newer than this.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_events() {
        let text = ": alive\n\nid: 1\nevent: state\ndata: {\"to\":\"queued\"}\n\n\
                    event: progress\r\ndata:{}\r\n\r\nid: 2\nretry: 5\ndata: a\ndata: ü\n\nid: 3\nda";
        let event = |id: Option<&str>, name: &str, data: &str| Event {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            event(Some("1"), "state", "{\"to\":\"queued\"}"),
            event(None, "progress", "{}"),
            event(Some("2"), "", "a\nü"),
        ];
        for at in 0..=text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            let mut parser = Parser::default();
            let mut events = parser.feed(head).unwrap();
            events.extend(parser.feed(tail).unwrap());
            assert_eq!(events, expected, "cut at {at}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(&vec![b'x'; EVENT_MAX + 1]), Err(TooLong));
    }
}

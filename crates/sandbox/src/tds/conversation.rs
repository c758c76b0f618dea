//! What a peer and one client say to each other.

use std::io;
use std::net::TcpStream;

use super::frame::{self, Line, Message};
use super::rows::{Input, Rows, fault};
use super::{Answer, Encryption, Heard, Load, Login, Refusal, Script, locked};

const BATCH: u8 = 0x01;
const ATTENTION: u8 = 0x06;
const BULK: u8 = 0x07;
const LOGIN: u8 = 0x10;
const PRELOGIN: u8 = 0x12;

/// Of the end of something: it has failed, counts rows, was asked for by the client.
const FAILED: u16 = 0x02;
const COUNTED: u16 = 0x10;
const ENDED: u16 = 0x20;

/// One client.
struct Conversation<'a> {
    line: Line,
    script: &'a Script,
    heard: &'a Heard,
    packet_bytes: usize,
    /// The number of the open transaction, or zero.
    transaction: u64,
    begun: u64,
    /// The bulk load that was announced.
    announced: Option<String>,
}

/// Talks with a client until it goes.
pub(super) fn hold(
    tcp: TcpStream,
    script: &Script,
    encryption: &frame::Encryption,
    heard: &Heard,
) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match talk(tcp, script, encryption, heard) {
        Err(error)
            if matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            ) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

fn talk(
    tcp: TcpStream,
    script: &Script,
    encryption: &frame::Encryption,
    heard: &Heard,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let (line, is_for_login) = encrypted(tcp, script.encryption, encryption)?;
    let mut conversation = Conversation {
        line,
        script,
        heard,
        packet_bytes: 4096,
        transaction: 0,
        begun: 0,
        announced: None,
    };
    let mut goes_on = conversation.log_in(is_for_login)?;
    while goes_on {
        let message = conversation.line.read()?;
        goes_on = conversation.hear(message)?;
    }
    Ok(())
}

/// Agrees on encryption; true if it is for the login only.
fn encrypted(
    mut tcp: TcpStream,
    wanted: Encryption,
    encryption: &frame::Encryption,
) -> io::Result<(Line, bool)> {
    if wanted == Encryption::Strict {
        let mut line = encryption.strict(tcp)?;
        prelogin(&line.read()?)?;
        frame::answer_prelogin(&mut line, 1)?;
        return Ok((line, false));
    }
    let asked = prelogin(&frame::read(&mut tcp)?)?;
    // [MS-TDS] 2.2.6.5, the table of what both sides say: off, on, not supported, required.
    let (answer, is_encrypted, is_for_login) = match (wanted, asked) {
        (Encryption::NotSupported, _) | (Encryption::Off, 2) => (2, false, false),
        (Encryption::Off, 0) => (0, true, true),
        (Encryption::Off, _) => (1, true, false),
        (Encryption::Required | Encryption::Strict, _) => (3, true, false),
    };
    let mut line = Line::Plain(tcp);
    frame::answer_prelogin(&mut line, answer)?;
    match line {
        Line::Plain(tcp) if is_encrypted => Ok((encryption.wrapped(tcp)?, is_for_login)),
        line => Ok((line, false)),
    }
}

/// The encryption that a PRELOGIN asks for.
fn prelogin(message: &Message) -> io::Result<u8> {
    if message.kind != PRELOGIN {
        return Err(fault("the first message is no PRELOGIN"));
    }
    let content = &message.content;
    for entry in content.chunks(5) {
        if let [1, high, low, 0, 1] = entry {
            let at = usize::from(u16::from_be_bytes([*high, *low]));
            return content.get(at).copied().ok_or_else(|| fault("a PRELOGIN is cut"));
        }
    }
    Err(fault("a PRELOGIN says nothing of encryption"))
}

impl Conversation<'_> {
    /// False if the client was sent away.
    fn log_in(&mut self, is_for_login: bool) -> io::Result<bool> {
        let message = self.line.read()?;
        if message.kind != LOGIN {
            return Err(fault("the message behind PRELOGIN is no LOGIN7"));
        }
        let encrypted = self.line.is_encrypted();
        if is_for_login {
            self.line.give_up_encryption()?;
        }
        let stays_encrypted = self.line.is_encrypted();
        let (login, user, password) = read_login(&message.content, encrypted, stays_encrypted)?;
        if (user.as_str(), password.as_str()) != (&self.script.user, &self.script.password) {
            let text = format!("Login failed for user '{user}'.");
            let refusal = Refusal { number: 18456, class: 14, state: 1, text };
            self.say(&[refused(&refusal), done(FAILED, 0)].concat())?;
            return Ok(false);
        }
        locked(&self.heard.logins).push(login);
        let mut answer = vec![0xad];
        let name: Vec<u8> = utf16("Peer");
        let body = [&[1, 0x74, 0, 0, 4, 4][..], &name, &[16, 0, 0x10, 0]].concat();
        answer.extend((body.len() as u16).to_le_bytes());
        answer.extend(body);
        let size = self.script.packet_bytes.to_string();
        let size = [&[size.len() as u8][..], &utf16(&size)].concat();
        answer.extend(change(4, &[&size[..], &[0]].concat()));
        if let Some((host, port)) = &self.script.route {
            let address =
                [&port.to_le_bytes()[..], &(host.len() as u16).to_le_bytes(), &utf16(host)];
            let address = [&[0][..], &address.concat()].concat();
            let length = (address.len() as u16).to_le_bytes();
            answer.extend(change(20, &[&length[..], &address, &[0, 0]].concat()));
        }
        answer.extend(done(0, 0));
        self.say(&answer)?;
        self.packet_bytes = self.script.packet_bytes;
        Ok(true)
    }

    /// False if the client is to go.
    fn hear(&mut self, message: Message) -> io::Result<bool> {
        match message.kind {
            BATCH => self.batch(&message.content),
            BULK => {
                let statement = self.announced.take().ok_or_else(|| fault("rows come unasked"))?;
                let rows = Rows::read_load(&message.content)?;
                let count = rows.rows.len() as u64;
                locked(&self.heard.loads).push(Load { statement, rows });
                match &self.script.load_refusal {
                    Some(refusal) => self.say(&[refused(refusal), done(FAILED, 0)].concat())?,
                    None => self.say(&done(COUNTED, count))?,
                }
                Ok(true)
            }
            ATTENTION => {
                self.say(&done(ENDED, 0))?;
                Ok(true)
            }
            other => Err(fault(&format!("a message of type {other:#x}"))),
        }
    }

    fn batch(&mut self, content: &[u8]) -> io::Result<bool> {
        let mut input = Input { bytes: content };
        let headers = input.u32()? as usize;
        let headers = input.take(headers.saturating_sub(4))?;
        let named = headers.get(6..14).and_then(|bytes| bytes.try_into().ok());
        let named = named.map(u64::from_le_bytes).ok_or_else(|| fault("headers are cut"))?;
        if named != self.transaction {
            return Err(fault("a batch names another transaction"));
        }
        let text = input.text(input.bytes.len() / 2)?;
        locked(&self.heard.batches).push(text.clone());
        let script = self.script;
        if let Some((_, answer)) = script.answers.iter().find(|(asked, _)| *asked == text) {
            return self.answer(answer);
        }
        let word = text.trim().to_ascii_uppercase();
        let mut said = Vec::new();
        if word.starts_with("BEGIN TRAN") {
            self.begun += 1;
            self.transaction = self.begun << 40 | 7;
            said = change(8, &[&[8][..], &self.transaction.to_le_bytes(), &[0]].concat());
        } else if word.starts_with("COMMIT") || word.starts_with("ROLLBACK") {
            let number = if word.starts_with('C') { 9 } else { 10 };
            said = change(number, &[&[0, 8][..], &self.transaction.to_le_bytes()].concat());
            self.transaction = 0;
        } else if word.starts_with("INSERT BULK") {
            self.announced = Some(text);
        }
        said.extend(done(0, 0));
        self.say(&said)?;
        Ok(true)
    }

    fn answer(&mut self, answer: &Answer) -> io::Result<bool> {
        match answer {
            Answer::Rows(rows) => {
                let end = done(COUNTED, rows.rows.len() as u64);
                self.say(&[rows.to_result(), end].concat())?;
            }
            Answer::Count(count) => self.say(&done(COUNTED, *count))?,
            Answer::Refusal(refusal) => self.say(&[refused(refusal), done(FAILED, 0)].concat())?,
            Answer::Stall(rows) => {
                self.line.answer(&rows.to_result(), self.packet_bytes, false)?;
                let message = self.line.read()?;
                if message.kind != ATTENTION {
                    return Err(fault("something else than the attention came"));
                }
                self.say(&done(ENDED, 0))?;
            }
            Answer::Bytes(bytes) => self.say(bytes)?,
            Answer::Cut(bytes) => {
                self.line.answer(bytes, self.packet_bytes, false)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn say(&mut self, content: &[u8]) -> io::Result<()> {
        self.line.answer(content, self.packet_bytes, true)
    }
}

/// The login, its user and its password.
fn read_login(
    content: &[u8],
    encrypted: bool,
    stays_encrypted: bool,
) -> io::Result<(Login, String, String)> {
    let mut fixed = Input { bytes: content };
    if fixed.u32()? as usize != content.len() {
        return Err(fault("a LOGIN7 is not as long as it says"));
    }
    let version = fixed.u32()?;
    // The list of offsets and lengths begins at 36: host, user, password, application, server, …
    let slot = |index: usize| -> io::Result<&[u8]> {
        let mut entry = Input { bytes: content.get(36 + 4 * index..).unwrap_or_default() };
        let (at, characters) = (entry.u16()?, entry.u16()?);
        let from = usize::from(at);
        content.get(from..from + 2 * usize::from(characters)).ok_or_else(|| fault("a text is cut"))
    };
    let text = |index: usize| -> io::Result<String> {
        let bytes = slot(index)?;
        Input { bytes }.text(bytes.len() / 2)
    };
    let password: Vec<u8> = slot(2)?.iter().map(|byte| (byte ^ 0xa5).rotate_right(4)).collect();
    let password = Input { bytes: &password }.text(password.len() / 2)?;
    let (application, server, database) = (text(3)?, text(4)?, text(8)?);
    let login = Login { application, database, server, version, encrypted, stays_encrypted };
    Ok((login, text(1)?, password))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn change(number: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 1).to_le_bytes();
    [&[0xe3][..], &length, &[number], body].concat()
}

fn done(status: u16, rows: u64) -> Vec<u8> {
    [&[0xfd][..], &status.to_le_bytes(), &[0, 0], &rows.to_le_bytes()].concat()
}

fn refused(refusal: &Refusal) -> Vec<u8> {
    let Refusal { number, class, state, text } = refusal;
    let mut body = number.to_le_bytes().to_vec();
    body.extend([*state, *class]);
    body.extend((text.encode_utf16().count() as u16).to_le_bytes());
    body.extend(utf16(text));
    // The server's and the procedure's name, and the line.
    body.extend([0, 0, 1, 0, 0, 0]);
    [&[0xaa][..], &(body.len() as u16).to_le_bytes(), &body].concat()
}

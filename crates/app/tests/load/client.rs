//! A client of Tencent's API that keeps its connection: one request, one answer, and the time between.
//!
//! Small, so that it takes little of the machine from what it measures: HTTP/1.1 by hand, many
//! clients on one thread.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::service::{INSTANCE, Key, Site};
use crate::signed::Signer;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// What a client asks for in turn.
#[derive(Clone)]
pub(crate) struct Wanted {
    action: &'static str,
    body: String,
}

/// What came back.
pub(crate) struct Answer {
    /// The envelope's content, of wrong answers and of single questions only.
    pub(crate) response: Value,
    /// From the first byte sent to the last received.
    pub(crate) took: Duration,
    wrong: bool,
}

impl Answer {
    /// It is no success.
    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong
    }
}

/// A key and a connection.
pub(crate) struct Client {
    stream: TcpStream,
    key_id: String,
    secret: String,
    host: String,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(site: &Site, key: &Key) -> Client {
        let host = site.service.address.clone();
        let stream = TcpStream::connect(&host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (key_id, secret) = (key.id.clone(), key.secret.clone());
        Client { stream, key_id, secret, host, buffer: Vec::with_capacity(READ_BYTES) }
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn ask(&mut self, action: &str, body: &Value) -> Answer {
        let mut answer = self.send(action, body.to_string().as_bytes()).await;
        answer.response = self.document()["Response"].take();
        answer
    }

    /// Asks, and looks into the answer only if it is wrong.
    async fn send(&mut self, action: &str, body: &[u8]) -> Answer {
        let signer = Signer { key_id: &self.key_id, secret: &self.secret, host: &self.host };
        let request = signer.post(action, body, true);
        let began = Instant::now();
        self.stream.write_all(&request).await.unwrap();
        self.receive().await;
        let took = began.elapsed();
        let has = |text: &[u8]| self.buffer.windows(text.len()).any(|part| part == text);
        let wrong = !self.buffer.starts_with(b"HTTP/1.1 200 ")
            || has(b"\"Error\":{")
            || !has(b"\"RequestId\":");
        let response = if wrong { self.document() } else { Value::Null };
        Answer { response, took, wrong }
    }

    /// Reads one answer into the buffer.
    async fn receive(&mut self) {
        self.buffer.clear();
        loop {
            self.buffer.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the service closed a connection");
            if let Some(end) = self.body_start()
                && self.buffer.len() >= end + self.body_length(end)
            {
                return;
            }
        }
    }

    fn body_start(&self) -> Option<usize> {
        self.buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
    }

    fn body_length(&self, head: usize) -> usize {
        let head = std::str::from_utf8(&self.buffer[..head]).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        length.unwrap().parse().unwrap()
    }

    fn document(&self) -> Value {
        let start = self.body_start().unwrap();
        serde_json::from_slice(&self.buffer[start..]).unwrap_or(Value::Null)
    }
}

/// Lets a client for each key ask until the end: the answers by action.
pub(crate) async fn ask_all(
    site: &Site,
    keys: &[Key],
    rate: usize,
    (job, database): (&str, &str),
    end: Instant,
) -> BTreeMap<&'static str, Vec<Answer>> {
    let pause = Duration::from_secs(1) * u32::try_from(keys.len()).unwrap();
    let pause = pause.checked_div(u32::try_from(rate).unwrap()).unwrap_or_default();
    let turns = turns(job, database);
    let mut clients = JoinSet::new();
    for (at, key) in keys.iter().enumerate() {
        let client = Client::connect(site, key).await;
        let delay = pause * u32::try_from(at).unwrap() / u32::try_from(keys.len()).unwrap();
        // Each begins elsewhere, so that all actions are asked for at any time.
        let turns: Vec<Wanted> =
            turns.iter().cycle().skip(at * 7 % turns.len()).take(turns.len()).cloned().collect();
        clients.spawn(ask_in_turn(client, turns, delay, pause, end));
    }
    let mut all: BTreeMap<&'static str, Vec<Answer>> = BTreeMap::new();
    while let Some(answers) = clients.join_next().await {
        for (action, answer) in answers.unwrap() {
            all.entry(action).or_default().push(answer);
        }
    }
    all
}

async fn ask_in_turn(
    mut client: Client,
    turns: Vec<Wanted>,
    delay: Duration,
    pause: Duration,
    end: Instant,
) -> Vec<(&'static str, Answer)> {
    let mut answers = Vec::new();
    let mut next = Instant::now() + delay;
    for wanted in turns.iter().cycle() {
        tokio::time::sleep_until(next.into()).await;
        if Instant::now() >= end {
            break;
        }
        answers.push((wanted.action, client.send(wanted.action, wanted.body.as_bytes()).await));
        // Whoever was answered late does not ask faster afterwards.
        next = (next + pause).max(Instant::now());
    }
    answers
}

/// What pollers ask for, in these shares: mostly how a job is. The last three ask the server that
/// imports go into, each on a connection of its own.
fn turns(job: &str, database: &str) -> Vec<Wanted> {
    let instance = json!({"InstanceId": INSTANCE});
    let table = json!({"InstanceId": INSTANCE, "Database": database, "Table": "item"});
    let status = json!({"AsyncRequestId": job});
    let shares = [
        (16, "DescribeAsyncRequestInfo", status),
        (10, "DescribeDBImportRecords", instance.clone()),
        (6, "DescribeTasks", instance.clone()),
        (5, "DescribeDBInstances", json!({})),
        (1, "DescribeDatabases", instance),
        (1, "DescribeTables", json!({"InstanceId": INSTANCE, "Database": database})),
        (1, "DescribeTableColumns", table),
    ];
    let mut left = shares.clone().map(|(share, ..)| share);
    let mut turns = Vec::new();
    while left.iter().any(|share| *share > 0) {
        for (share, (_, action, body)) in
            left.iter_mut().zip(&shares).filter(|(share, _)| **share > 0)
        {
            *share -= 1;
            turns.push(Wanted { action, body: body.to_string() });
        }
    }
    turns
}

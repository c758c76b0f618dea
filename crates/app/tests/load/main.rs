//! `scripts/bench service`: a real service beside a real MariaDB, under many clients that ask and many
//! imports that wait. Prints a section of docs/benchmarks.md; exit code 1 if an answer was wrong, a
//! job was lost, or rows are missing.
//!
//! Arguments: `--run`, then `--seconds`, `--clients`, `--imports` and `--rate` (requests a second, of
//! all clients; 0: each asks again as soon as it is answered). Without `--run` it only says so:
//! `cargo test` must not measure for a minute.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

#[path = "../it/sameness.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod sameness;
#[path = "../it/service.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod service;
#[path = "../it/signed.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod signed;

mod client;
mod process;

use client::{Answer, Client};
use process::Usage;
use service::{INSTANCE, Key, Site};

/// Jobs that are made and done before, when the service has nothing else to do.
const QUIET_IMPORTS: usize = 10;
/// Rows of each import, of about 120 bytes.
const ROWS: usize = 20_000;
/// Rows of one INSERT.
const INSERT_ROWS: usize = 500;

/// What to measure.
#[derive(Clone, Copy)]
struct Plan {
    seconds: u64,
    clients: usize,
    imports: usize,
    rate: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--run") {
        println!("load: measures with --run only: scripts/bench service");
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, default: usize| {
        let given = arguments.iter().skip_while(|argument| *argument != name).nth(1);
        given.map_or(default, |text| text.parse().unwrap())
    };
    let plan = Plan {
        seconds: number("--seconds", 60) as u64,
        clients: number("--clients", 200),
        imports: number("--imports", 50),
        rate: number("--rate", 1000),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wrong = runtime.block_on(measure(plan));
    for text in &wrong {
        println!("\n**Wrong:** {text}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures and prints; what was not as it has to be.
async fn measure(plan: Plan) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("dbferry.toml");
    std::fs::write(&settings, format!("per_instance = {}\n", plan.imports.max(1))).unwrap();
    let site = Site::start(&["--config", settings.to_str().unwrap(), "--log", "json"]);
    let keys: Vec<Key> = (0..plan.clients).map(|_| site.new_key("shop")).collect();
    site.upload(&site.key, "shop.sql", dump().as_bytes());
    for at in 0..plan.imports + QUIET_IMPORTS {
        site.server.sql(&format!("CREATE DATABASE d{at}")).unwrap();
    }
    let mut creator = Client::connect(&site, &site.key).await;
    let mut quiet = Vec::new();
    let mut first = String::new();
    for at in plan.imports..plan.imports + QUIET_IMPORTS {
        let (job, took) = create(&mut creator, &site, at).await;
        ended(&mut creator, &job).await;
        quiet.push(took);
        first = job;
    }
    // Its import is over, so its table is there to be asked about.
    let whole = format!("d{}", plan.imports);
    let service = site.service.id();
    let before = Usage::of(service);
    let own = Usage::of(std::process::id());
    let end = Instant::now() + Duration::from_secs(plan.seconds);
    let clients = client::ask_all(&site, &keys, plan.rate, (&first, &whole), end);
    let imports = async {
        let mut busy = Vec::new();
        let mut jobs = Vec::new();
        for at in 0..plan.imports {
            let (job, took) = create(&mut creator, &site, at).await;
            busy.push(took);
            jobs.push(job);
        }
        (busy, jobs)
    };
    let memory = process::watch(service, end);
    let (answers, (busy, jobs), memory) = tokio::join!(clients, imports, memory);
    let (after, own_after) = (Usage::of(service), Usage::of(std::process::id()));
    // The first one was idle for longer than the service lets a connection be.
    let mut creator = Client::connect(&site, &site.key).await;
    let waiting = waiting(&mut creator, &jobs).await;
    for job in &jobs {
        ended(&mut creator, job).await;
    }
    let wrong = wrong(&site, &mut creator, plan, &answers).await;
    println!("{}", head(plan, &answers, waiting));
    println!("{}", latencies(&answers, &quiet, &busy));
    println!("{}", footing(plan, (before, after), (own, own_after), &memory));
    wrong
}

/// A dump of one table.
fn dump() -> String {
    let mut text = String::from(
        "DROP TABLE IF EXISTS `item`;\nCREATE TABLE `item` (`id` int NOT NULL, `name` varchar(200) \
         NOT NULL, PRIMARY KEY (`id`), KEY `name` (`name`)) ENGINE=InnoDB;\n",
    );
    let filler = "x".repeat(90);
    for first in (0..ROWS).step_by(INSERT_ROWS) {
        let rows: Vec<String> = (first..first + INSERT_ROWS)
            .map(|id| format!("({id},'item {} {filler}')", id * 7919 % ROWS))
            .collect();
        text.push_str(&format!("INSERT INTO `item` VALUES {};\n", rows.join(",")));
    }
    text
}

/// Starts an import into database `at`: its id, and how long the answer took.
async fn create(client: &mut Client, site: &Site, at: usize) -> (String, Duration) {
    let body = json!({"InstanceId": INSTANCE, "FileName": "shop.sql", "User": "root",
        "Password": site.server.root_password(), "DbName": format!("d{at}")});
    let answer = client.ask("CreateDBImportJob", &body).await;
    let id = answer.response["AsyncRequestId"].as_str();
    (id.unwrap_or_else(|| panic!("{}", answer.response)).to_owned(), answer.took)
}

async fn status(client: &mut Client, job: &str) -> String {
    let answer = client.ask("DescribeAsyncRequestInfo", &json!({"AsyncRequestId": job})).await;
    answer.response["Status"].as_str().unwrap_or("none").to_owned()
}

/// Waits for a job's end, as pollers do.
async fn ended(client: &mut Client, job: &str) {
    while ["INITIAL", "RUNNING", "none"].contains(&status(client, job).await.as_str()) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Jobs that are not over.
async fn waiting(client: &mut Client, jobs: &[String]) -> usize {
    let mut waiting = 0;
    for job in jobs {
        waiting += usize::from(status(client, job).await != "SUCCESS");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    waiting
}

/// What is not as it has to be: an answer, a job, or a row.
async fn wrong(
    site: &Site,
    client: &mut Client,
    plan: Plan,
    answers: &BTreeMap<&'static str, Vec<Answer>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (action, answers) in answers {
        let failed: Vec<&Answer> = answers.iter().filter(|answer| answer.is_wrong()).collect();
        if let Some(one) = failed.first() {
            wrong.push(format!("{action}: {} answers, such as {}", failed.len(), one.response));
        }
    }
    let all = plan.imports + QUIET_IMPORTS;
    let asked = json!({"InstanceId": INSTANCE, "Limit": 100});
    let answer = client.ask("DescribeDBImportRecords", &asked).await;
    let items = answer.response["Items"].as_array().cloned().unwrap_or_default();
    let done = items.iter().filter(|item| item["Status"] == 2).count();
    if done != all {
        wrong.push(format!("of {all} jobs {done} have succeeded"));
    }
    for at in 0..all {
        let rows = site.server.sql(&format!("SELECT COUNT(*) FROM d{at}.item")).unwrap();
        if rows.trim_end() != ROWS.to_string() {
            wrong.push(format!("database d{at} has {} rows", rows.trim_end()));
        }
    }
    wrong
}

fn head(plan: Plan, answers: &BTreeMap<&'static str, Vec<Answer>>, waiting: usize) -> String {
    let all: usize = answers.values().map(Vec::len).sum();
    let wrong = answers.values().flatten().filter(|answer| answer.is_wrong()).count();
    let how = match plan.rate {
        0 => "each asking again as soon as it is answered".to_owned(),
        rate => format!("asking {rate} times a second together, each at its own moments"),
    };
    let bytes = dump().len() / 1_000_000;
    format!(
        "{} clients for {} s, {how}, each with a key and a connection of its own, every request signed \
         (TC3); meanwhile {} imports of {bytes} MB ({ROWS} rows) are made and worked on by 2 workers. \
         Answers: {all}, {} a second; wrong: {wrong}. Jobs lost: none unless it says so below; not over \
         when the time was: {waiting}.\n",
        plan.clients,
        plan.seconds,
        plan.imports,
        all as u64 / plan.seconds,
    )
}

fn latencies(
    answers: &BTreeMap<&'static str, Vec<Answer>>,
    quiet: &[Duration],
    busy: &[Duration],
) -> String {
    let mut text = String::from("| action | answers | p50 | p99 | most |\n|---|---|---|---|---|\n");
    let mut row = |name: &str, mut times: Vec<Duration>| {
        times.sort_unstable();
        let at = |share: usize| {
            let index = (times.len() * share).div_ceil(100).max(1) - 1;
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let line = format!(
            "| {name} | {} | {:.1} ms | {:.1} ms | {:.1} ms |\n",
            times.len(),
            at(50),
            at(99),
            at(100)
        );
        text.push_str(&line);
    };
    for (action, answers) in answers {
        row(action, answers.iter().map(|answer| answer.took).collect());
    }
    row("**all Describe**", answers.values().flatten().map(|answer| answer.took).collect());
    row("CreateDBImportJob, nothing else to do", quiet.to_vec());
    row("CreateDBImportJob, meanwhile", busy.to_vec());
    text
}

fn footing(plan: Plan, service: (Usage, Usage), own: (Usage, Usage), memory: &[u64]) -> String {
    let share = |(before, after): (Usage, Usage)| {
        (after.cpu_seconds - before.cpu_seconds) / plan.seconds as f64
    };
    let mib = |kib: u64| kib as f64 / 1024.0;
    let at = |index: usize| mib(memory.get(index).copied().unwrap_or_default());
    format!(
        "Of {} cores the service used {:.2}, the clients {:.2}; the rest is MariaDB's and the machine's. \
         Resident memory of the service: {:.1} MiB before, {:.1} after a third of the time, {:.1} \
         after two thirds, {:.1} at the end; most: {:.1}.",
        std::thread::available_parallelism().map_or(1, usize::from),
        share(service),
        share(own),
        mib(service.0.resident_kib),
        at(memory.len() / 3),
        at(memory.len() * 2 / 3),
        mib(service.1.resident_kib),
        mib(memory.iter().copied().max().unwrap_or_default()),
    )
}

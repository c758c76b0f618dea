//! `dbferry uploads`: the files that a service has of the account.

use clap::Args as ClapArgs;
use reqwest::Method;

use super::remote;
use super::{Exit, print};
use crate::http::native::uploads::Uploads;
use crate::size;

/// Arguments of `dbferry uploads`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    server: remote::Server,
}

/// Which part of a list.
#[derive(Debug, ClapArgs)]
pub struct Page {
    /// Entries at most
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Entries to pass over, from the newest
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u32,
}

impl Page {
    /// As a query has it.
    pub fn query(&self) -> Vec<(&'static str, String)> {
        vec![("limit", self.limit.to_string()), ("offset", self.offset.to_string())]
    }

    /// Tells people that there are more than the `shown`.
    pub fn tell_rest(&self, shown: usize, total: u64) {
        let end = u64::from(self.offset) + shown as u64;
        if end < total {
            super::say(&format!("{} more: --offset {end}", total - end));
        }
    }
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    remote::run(&args.server, async |remote| {
        let request = remote.request(Method::GET, &["uploads"], &args.page.query());
        let document = remote.ask(request).await?;
        if args.server.json {
            remote::print_json(&document);
            return Ok(Exit::Done);
        }
        let list: Uploads = remote::read(&document)?;
        for upload in &list.uploads {
            let received = size::bytes(upload.received_bytes);
            let state = match (upload.finished, upload.size_bytes) {
                (true, _) => received,
                (false, Some(size)) => format!("{received} of {}", size::bytes(size)),
                (false, None) => format!("{received}, unfinished"),
            };
            print(&format!("{}  {state}\n", upload.name));
        }
        args.page.tell_rest(list.uploads.len(), list.total);
        Ok(Exit::Done)
    })
}

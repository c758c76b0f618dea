//! From arguments to an endpoint: the URL, and the places a password may come from.
//!
//! Promises: a password given in a URL does not stay in the process's title, and no message holds
//! one. Order: URL, `--password-file`, `DBFERRY_PASSWORD`, a `[client]` section, a prompt.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::endpoint::{Endpoint, Family, Secret};

use crate::fetch::Address;

/// Where passwords may be handed over without showing in the process list.
pub const PASSWORD_VARIABLE: &str = "DBFERRY_PASSWORD";
/// The same for the server that a copy reads.
pub const SOURCE_PASSWORD_VARIABLE: &str = "DBFERRY_SOURCE_PASSWORD";
/// The secret of a service's key, for those who ask it.
const KEY_SECRET_VARIABLE: &str = "DBFERRY_KEY_SECRET";
/// Set for the process that [`hide_secrets`] starts, so that it is started only once: a URL, a line
/// feed, the password as it stood in it (of an address to fetch from: all of it), a line feed, and so on.
const HIDDEN_VARIABLE: &str = "DBFERRY_URL_PASSWORDS";

/// How to reach the target.
#[derive(Debug, Args)]
pub struct Target {
    /// Target server: mysql://user@host[:port][/db][?tls=verify-full&ca=FILE&socket=PATH]; copies and
    /// their repair also know mssql://user@host[:port][?tls=verify-full&ca=FILE]
    #[arg(long = "to", value_name = "URL")]
    pub url: String,
    /// Read the password from this file (its first line)
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Ask for the password
    #[arg(long, short = 'p')]
    pub ask_password: bool,
    /// Take user and password from the [client] section of this file [default: ~/.my.cnf, if any]
    #[arg(long, value_name = "FILE")]
    pub defaults_file: Option<PathBuf>,
    /// Character set of the connection until the file sets another
    /// [default: the URL's charset=, else utf8mb4]
    #[arg(long, value_name = "NAME")]
    pub default_character_set: Option<String>,
}

/// How to reach the server that is read.
#[derive(Debug, Args)]
pub struct Source {
    /// Source server: mysql://user@host[:port][?tls=verify-full&ca=FILE&socket=PATH], or mssql://
    #[arg(long = "from", value_name = "URL")]
    pub from: String,
    /// Read the source's password from this file (its first line); also DBFERRY_SOURCE_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub from_password_file: Option<PathBuf>,
}

/// Starts this program anew with the secrets taken out of URLs, so that process lists do not show them:
/// passwords, and of addresses to fetch from login and query. Returns only if there is nothing to hide, or if it failed.
pub fn hide_secrets(arguments: &[OsString]) -> Result<(), String> {
    let mut hidden = String::new();
    let mut shown = Vec::new();
    let before = std::iter::once(None).chain(arguments.iter().map(|argument| argument.to_str()));
    for (argument, before) in arguments.iter().zip(before) {
        let text = argument.to_str();
        let split = || text.filter(|_| before != Some("--server")).and_then(split_address);
        match text.and_then(split_password).or_else(split) {
            Some((without, password)) => {
                let url = without.split_once('=').filter(|_| without.starts_with('-'));
                let url = url.map_or(without.as_str(), |(_option, url)| url);
                hidden.push_str(&format!("{url}\n{password}\n"));
                shown.push(OsString::from(without));
            }
            None => shown.push(argument.clone()),
        }
    }
    if hidden.is_empty() {
        return Ok(());
    }
    let Some((_, rest)) = shown.split_first() else { return Ok(()) };
    let program = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let error = std::process::Command::new(program)
        .arg0(shown[0].clone())
        .args(rest)
        .env(HIDDEN_VARIABLE, hidden)
        .exec();
    Err(format!("start without the password in the arguments: {error}"))
}

/// `…//user:password@host…` → the same without the password, and the password as it was written.
fn split_password(argument: &str) -> Option<(String, String)> {
    let url_at = argument.find("://")?;
    let scheme = argument[..url_at].rsplit('=').next()?;
    if !matches!(scheme, "mysql" | "mariadb" | "mssql" | "sqlserver") || argument.contains('\n') {
        return None;
    }
    let rest = &argument[url_at + 3..];
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let login = &authority[..authority.rfind('@')?];
    let (user, password) = login.split_once(':')?;
    let after = &rest[login.len()..];
    Some((format!("{}{user}{after}", &argument[..url_at + 3]), password.to_owned()))
}

/// `…https://user:password@host/path?query` → the same without login and query, and the whole URL.
fn split_address(argument: &str) -> Option<(String, String)> {
    let (option, url) = match argument.split_once('=') {
        Some((option, url)) if option.starts_with('-') => (&argument[..=option.len()], url),
        _ => ("", argument),
    };
    if option == "--server=" || !Address::is_meant(url) || url.contains('\n') {
        return None;
    }
    let address = Address::parse(url).ok()?;
    let shown = address.to_string();
    (address.text() != shown).then(|| (format!("{option}{shown}"), url.to_owned()))
}

/// An address to fetch from as it was given, by what [`hide_secrets`] left of it.
pub fn whole_address(shown: &str) -> String {
    let hidden = std::env::var(HIDDEN_VARIABLE).unwrap_or_default();
    let mut lines = hidden.lines();
    while let (Some(url), Some(whole)) = (lines.next(), lines.next()) {
        if url == shown {
            return whole.to_owned();
        }
    }
    shown.to_owned()
}

/// A store's URL as it was given, by what [`hide_secrets`] left of it.
pub fn whole_store(shown: &str) -> String {
    let hidden = std::env::var(HIDDEN_VARIABLE).unwrap_or_default();
    let lines: Vec<&str> = hidden.lines().collect();
    let pair = lines.chunks_exact(2).find(|pair| pair[0] == shown);
    let whole = pair.and_then(|pair| with_password(shown, pair[1]));
    whole.unwrap_or_else(|| shown.to_owned())
}

/// What [`split_password`] made two of.
fn with_password(url: &str, password: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let (user, after) = rest.split_at(authority.rfind('@')?);
    Some(format!("{scheme}://{user}:{password}{after}"))
}

/// The secret of a service's key; it has no place in arguments.
pub fn key_secret() -> Option<Secret> {
    std::env::var(KEY_SECRET_VARIABLE).ok().filter(|secret| !secret.is_empty()).map(Secret::new)
}

/// The password of a server's account: from a file, the environment, or a prompt.
pub fn account_password(
    file: Option<&Path>,
    ask: bool,
    user: &str,
) -> Result<Option<Secret>, String> {
    if let Some(file) = file {
        return Ok(Some(Secret::new(first_line(file)?)));
    }
    if let Ok(password) = std::env::var(PASSWORD_VARIABLE) {
        return Ok(Some(Secret::new(password)));
    }
    if !ask {
        return Ok(None);
    }
    let asked = rpassword::prompt_password(format!("Password for {user}: "));
    let password = asked.map_err(|error| format!("ask for the password: {error}"))?;
    Ok(Some(Secret::new(password)))
}

/// Parses a URL, with the password that was taken out of it.
pub fn parse(url: &str) -> Result<Endpoint, String> {
    let mut endpoint = Endpoint::parse(url).map_err(|error| error.to_string())?;
    let hidden = std::env::var(HIDDEN_VARIABLE).unwrap_or_default();
    let lines: Vec<&str> = hidden.lines().collect();
    if let Some(pair) = lines.chunks_exact(2).find(|pair| pair[0] == url) {
        let password = pair[1];
        // It was cut out of the URL as it stood there, so it is decoded as the URL's part.
        let url = format!("mysql://user:{password}@host");
        endpoint.password = Endpoint::parse(&url).map_err(|error| error.to_string())?.password;
    }
    Ok(endpoint)
}

/// Parses the URL and finds the password.
pub fn resolve(target: &Target) -> Result<Endpoint, String> {
    let mut endpoint = parse(&target.url)?;
    if let Some(charset) = &target.default_character_set {
        endpoint.default_charset.clone_from(charset);
    }
    if let Some(file) = &target.password_file {
        endpoint.password = Some(Secret::new(first_line(file)?));
    }
    if endpoint.password.is_none()
        && let Ok(password) = std::env::var(PASSWORD_VARIABLE)
    {
        endpoint.password = Some(Secret::new(password));
    }
    apply_defaults(&mut endpoint, target)?;
    if target.ask_password && endpoint.password.is_none() {
        let prompt = format!("Password for {}: ", endpoint.redacted());
        let password = rpassword::prompt_password(prompt)
            .map_err(|error| format!("ask for the password: {error}"))?;
        endpoint.password = Some(Secret::new(password));
    }
    endpoint.check().map_err(|error| error.to_string())?;
    Ok(endpoint)
}

/// Refuses a target that `command` has nothing to do with, and says what there is `instead`.
pub fn only_mysql(target: &Target, command: &str, instead: &str) -> Result<(), String> {
    match parse(&target.url)?.family {
        Family::MySql => Ok(()),
        Family::SqlServer => Err(format!(
            "--to names a SQL Server, and {command} knows MySQL and MariaDB (mysql://, mariadb://) \
             only: {instead}"
        )),
    }
}

/// Parses the source's URL and finds its password. That of the target is never tried on it.
pub fn resolve_source(source: &Source) -> Result<Endpoint, String> {
    let mut endpoint = parse(&source.from)?;
    if let Some(file) = &source.from_password_file {
        endpoint.password = Some(Secret::new(first_line(file)?));
    }
    if endpoint.password.is_none()
        && let Ok(password) = std::env::var(SOURCE_PASSWORD_VARIABLE)
    {
        endpoint.password = Some(Secret::new(password));
    }
    endpoint.check().map_err(|error| error.to_string())?;
    Ok(endpoint)
}

/// Fills in what the URL leaves open from a `[client]` section.
fn apply_defaults(endpoint: &mut Endpoint, target: &Target) -> Result<(), String> {
    // These files are MySQL's: their passwords are for no other kind of server.
    if endpoint.family != Family::MySql {
        return Ok(());
    }
    let path = match &target.defaults_file {
        Some(path) => path.clone(),
        None => match std::env::var_os("HOME") {
            Some(home) => Path::new(&home).join(".my.cnf"),
            None => return Ok(()),
        },
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if target.defaults_file.is_none() => return Ok(()),
        Err(error) => return Err(format!("read {}: {error}", path.display())),
    };
    let section = client_section(&text);
    let value = |name: &str| section.iter().rev().find(|(key, _)| key == name).map(|(_, v)| v);
    if endpoint.user.is_empty()
        && let Some(user) = value("user")
    {
        endpoint.user.clone_from(user);
    }
    // A password belongs to the account it stands beside.
    let same_user = value("user").is_none_or(|user| *user == endpoint.user);
    if endpoint.password.is_none()
        && same_user
        && let Some(password) = value("password")
    {
        endpoint.password = Some(Secret::new(password.clone()));
    }
    Ok(())
}

/// The settings of the `[client]` sections of an option file, in order.
fn client_section(text: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = matches!(name.trim(), "client" | "client-mariadb" | "client-server");
            continue;
        }
        if !inside || line.starts_with(['#', ';', '!']) {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        settings.push((key.trim().replace('_', "-"), unquoted(value.trim())));
    }
    settings
}

/// A value as the stock clients take it: without the comment behind it, the quotes around it, and
/// its escapes.
fn unquoted(value: &str) -> String {
    let value = &value[..comment_at(value)].trim_end();
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let mut plain = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let next = if c == '\\' { chars.next() } else { None };
        match next {
            None => plain.push(c),
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('b') => plain.push('\u{8}'),
            Some('s') => plain.push(' '),
            Some(quoted @ ('"' | '\'' | '\\')) => plain.push(quoted),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain
}

/// Where a `#` outside quotes begins a comment, or the value's length.
fn comment_at(value: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match (quote, c) {
            (None, '#') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open && !escaped => quote = None,
            _ => {}
        }
        escaped = quote.is_some() && c == '\\' && !escaped;
    }
    value.len()
}

fn first_line(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("read the password file {}: {error}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_secrets() {
        for (argument, shown) in [
            ("https://h/a.sql?sign=x", "https://h/a.sql"),
            ("--url=http://u:p@h/a", "--url=http://h/a"),
        ] {
            let url = argument.trim_start_matches("--url=").to_owned();
            assert_eq!(split_address(argument), Some((shown.to_owned(), url)));
        }
        for nothing in ["https://h/a.sql", "a.sql?b", "--server=http://u@h/", "-", "mysql://u:p@h"]
        {
            assert_eq!(split_address(nothing), None, "{nothing}");
        }
    }

    #[track_caller]
    fn check_value(written: &str, meant: &str) {
        let text = format!("[mysqld]\npassword=no\n[client]\n; note\n{written}\n[mysql]\nuser=no");
        assert_eq!(client_section(&text), [("password".to_owned(), meant.to_owned())], "{written}");
    }

    #[test]
    fn option_files_are_read_as_the_stock_clients_do() {
        check_value("password = plain", "plain");
        check_value("  password=with = sign  ", "with = sign");
        check_value("password=cut#here", "cut");
        check_value("password='kept # here' # but not this", "kept # here");
        check_value(r#"password="a \"quoted\" one""#, r#"a "quoted" one"#);
        check_value(r"password=back\\slash\sand\xother", r"back\slash and\xother");
        check_value("password=\"unclosed", "\"unclosed");
    }

    #[test]
    fn a_stores_password_finds_its_place_again() {
        for whole in
            ["mysql://u:p%40@h:1/d?table_prefix=x_", "mariadb://u:@[::1]/d", "mysql://:p@h"]
        {
            let (shown, password) = split_password(whole).unwrap();
            assert_eq!(with_password(&shown, &password).as_deref(), Some(whole), "{shown}");
        }
    }

    #[track_caller]
    fn check_split(argument: &str, shown: &str, password: &str) {
        let split = split_password(argument);
        assert_eq!(split, Some((shown.to_owned(), password.to_owned())), "{argument}");
    }

    #[test]
    fn a_password_is_cut_out_of_any_argument() {
        check_split("mysql://u:p@h/d", "mysql://u@h/d", "p");
        check_split("--to=mariadb://u:p%40q@h:1/d?x=y", "--to=mariadb://u@h:1/d?x=y", "p%40q");
        check_split("mysql://u:a:b@c@h", "mysql://u@h", "a:b@c");
        check_split("mysql://u:@h", "mysql://u@h", "");
        check_split("--from=mssql://sa:p@h", "--from=mssql://sa@h", "p");
        for nothing in ["mysql://u@h/d", "mysql://h/d?a=b:c@d", "https://u:p@h/d", "plain:text@x"] {
            assert_eq!(split_password(nothing), None, "{nothing}");
        }
    }
}

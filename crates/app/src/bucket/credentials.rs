//! Who asks an object storage: a key's id and its secret, from the environment or a file.
//!
//! Promises: the secret shows nowhere, and what is wrong with a file is said without its content.
//! The only place that reads the environment's names of Amazon's tools.

use std::path::Path;

use engine::endpoint::Secret;

use super::{REGION_DEFAULT, Storage, check_endpoint};
use crate::config;

/// Bytes that a file of credentials may have.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// The section of such a file that counts.
const SECTION: &str = "[default]";

/// A key of an object storage.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its name, which is no secret.
    pub key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// What goes with a key that lives for some hours only.
    pub token: Option<Secret>,
}

impl Credentials {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if there is one, `AWS_SESSION_TOKEN`.
    pub fn from_environment() -> Result<Credentials, String> {
        let key_id = variable("AWS_ACCESS_KEY_ID");
        let secret = variable("AWS_SECRET_ACCESS_KEY");
        let (Some(key_id), Some(secret)) = (key_id, secret) else {
            return Err("no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"
                .to_owned());
        };
        let token = variable("AWS_SESSION_TOKEN").map(Secret::new);
        Ok(Credentials { key_id, secret: Secret::new(secret), token })
    }

    /// The section `[default]` of a file as Amazon's tools have it in `~/.aws/credentials`.
    pub fn from_file(path: &Path) -> Result<Credentials, String> {
        let told = |why: &dyn std::fmt::Display| format!("read {}: {why}", path.display());
        let size = std::fs::metadata(path).map_err(|error| told(&error))?.len();
        if size > FILE_BYTES_MAX {
            return Err(told(&format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        Credentials::parse(&text).map_err(|why| told(&why))
    }

    fn parse(text: &str) -> Result<Credentials, &'static str> {
        let lines = text.lines().map(str::trim).skip_while(|line| *line != SECTION).skip(1);
        let lines = lines.take_while(|line| !line.starts_with('['));
        let pairs: Vec<(&str, &str)> = lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let value = |name: &str| {
            let found = pairs.iter().find(|(own, value)| *own == name && !value.is_empty());
            found.map(|(_, value)| (*value).to_owned())
        };
        Ok(Credentials {
            key_id: value("aws_access_key_id")
                .ok_or("its section [default] has no aws_access_key_id")?,
            secret: value("aws_secret_access_key")
                .map(Secret::new)
                .ok_or("its section [default] has no aws_secret_access_key")?,
            token: value("aws_session_token").map(Secret::new),
        })
    }
}

impl Storage {
    /// What the settings say, if they need one; the credentials of the environment where they name no
    /// file.
    pub fn of_settings(settings: &config::S3) -> Result<Option<Storage>, String> {
        if settings.uploads.is_none() && settings.sources.is_empty() {
            return Ok(None);
        }
        let credentials = match &settings.credentials {
            Some(path) => Credentials::from_file(path)?,
            None => Credentials::from_environment().map_err(|why| format!("[s3]: {why}"))?,
        };
        Ok(Some(Storage {
            endpoint: settings.endpoint.clone(),
            region: settings.region.clone(),
            path_style: settings.path_style,
            credentials,
        }))
    }

    /// What the environment says by the names that Amazon's tools know: credentials,
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, `AWS_REGION` or `AWS_DEFAULT_REGION`. With an
    /// endpoint the bucket stands in the path, unless the endpoint's host begins with it.
    pub fn of_environment(bucket: &str) -> Result<Storage, String> {
        let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
        if let Some(endpoint) = &endpoint {
            check_endpoint(endpoint).map_err(|why| format!("AWS_ENDPOINT_URL: {why}"))?;
        }
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let is_in_host = |url: &String| url.contains(&format!("://{bucket}."));
        Ok(Storage {
            path_style: endpoint.as_ref().is_some_and(|url| !is_in_host(url)),
            endpoint,
            region: region.unwrap_or_else(|| REGION_DEFAULT.to_owned()),
            credentials: Credentials::from_environment()?,
        })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_amazons_tools_read_it() {
        let text = "[other]\naws_access_key_id = no\n[default]\n# note\naws_access_key_id=AKID\n\
                    aws_secret_access_key = se/cret=\n[last]\naws_session_token = no\n";
        let read = Credentials::parse(text).unwrap();
        assert_eq!((read.key_id.as_str(), read.secret.reveal()), ("AKID", "se/cret="));
        assert!(read.token.is_none());
        assert!(!format!("{read:?}").contains("cret="));
        for (text, part) in [
            ("", "aws_access_key_id"),
            ("[default]\naws_access_key_id = a\naws_secret_access_key =\n", "aws_secret"),
            ("aws_access_key_id = a\naws_secret_access_key = b\n", "aws_access_key_id"),
        ] {
            assert!(Credentials::parse(text).unwrap_err().contains(part), "{text}");
        }
    }
}

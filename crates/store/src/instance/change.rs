//! Changes of an instance that is registered already.
//!
//! Promises: the id stays, and what is not named stays; a change happens wholly or not at all; while a
//! job that has not ended uses the instance, no change leads it to another server or account.
//!
//! Deliberately not here: whether the server that is named can be reached.

use super::{Engine, place, row_name};
use crate::limit;
use crate::statement::{Statement, sql};
use crate::{Conflict, Error, Instance, Result, Secret, Store};

/// What the unfinished jobs that use an instance are found by.
const UNUSED: &str = " AND NOT EXISTS (SELECT 1 FROM job WHERE (instance_id = ? OR
    source_instance_id = ?) AND state IN ('queued', 'running'))";
/// Every column that is changed; a null leaves it as it is.
const SET: &str = "UPDATE instance SET name = COALESCE(?, name), region = COALESCE(?, region),
    zone = COALESCE(?, zone), class = COALESCE(?, class), storage_gb = COALESCE(?, storage_gb),
    engine = COALESCE(?, engine), host = COALESCE(?, host), port = COALESCE(?, port),
    options = COALESCE(?, options), admin_user = COALESCE(?, admin_user),
    admin_password = COALESCE(?, admin_password)";
/// Nobody has looked at the server yet.
const UNSEEN: &str = ", status = 'unknown', version = NULL, used_bytes = NULL, probed_at = NULL,
    probe_error = NULL";

/// What becomes different; `None` stays. The limits are those of [`crate::NewInstance`].
#[derive(Debug, Clone, Default)]
pub struct InstanceChange {
    /// For people.
    pub name: Option<String>,
    /// Where it is said to be.
    pub region: Option<String>,
    /// The part of the region.
    pub zone: Option<String>,
    /// Such as `dedicated`.
    pub class: Option<String>,
    /// Its storage, in gigabytes as its owner states them.
    pub storage_gb: Option<u32>,
    /// What kind of server it is; another server, as with the next three.
    pub engine: Option<Engine>,
    /// Host name or address.
    pub host: Option<String>,
    /// TCP port, not 0.
    pub port: Option<u16>,
    /// The account on the server.
    pub admin_user: Option<String>,
    /// How to connect, as text the store does not read.
    pub options: Option<String>,
    /// The account's password.
    pub admin_password: Option<Secret>,
}

impl InstanceChange {
    /// Whether jobs would work elsewhere, or as somebody else.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.engine.is_some()
            || self.host.is_some()
            || self.port.is_some()
            || self.admin_user.is_some()
    }

    fn check(&self) -> Result<()> {
        fn given(value: Option<&String>) -> &str {
            value.map_or("", String::as_str)
        }
        limit::text("the instance's name", given(self.name.as_ref()), 255)?;
        limit::text("the region", given(self.region.as_ref()), 64)?;
        limit::text("the zone", given(self.zone.as_ref()), 64)?;
        limit::text("the class", given(self.class.as_ref()), 64)?;
        if let Some(host) = &self.host {
            limit::name("the host", host, 255)?;
        }
        if self.port == Some(0) {
            return Err(Error::Invalid { what: "the port", why: "is 0" });
        }
        if let Some(user) = &self.admin_user {
            limit::name("the user", user, 128)?;
        }
        limit::json("the options", given(self.options.as_ref()))
    }
}

impl Store {
    /// Changes an account's instance, and gives it as it is then. One that leads to another server
    /// is `unknown` until it is probed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when it is another account's; [`Conflict::InUse`] for a change that
    /// [moves](InstanceChange::moves) it under a job that has not ended; [`Error::Invalid`].
    pub async fn change_instance(
        &self,
        account: i64,
        id: &str,
        change: &InstanceChange,
    ) -> Result<Instance> {
        change.check()?;
        let place_name = row_name(account, id);
        let sealed = match &change.admin_password {
            Some(password) => Some(self.key.seal(&place(&place_name), password)?),
            None => None,
        };
        let text = |value: &Option<String>, statement: Statement| {
            statement.optional_text(value.as_deref())
        };
        let mut update = sql(SET);
        for value in [&change.name, &change.region, &change.zone, &change.class] {
            update = text(value, update);
        }
        update = update.int(change.storage_gb.map(i64::from));
        update = update.optional_text(change.engine.map(Engine::name));
        update = text(&change.host, update).int(change.port.map(i64::from));
        update = text(&change.options, update);
        update = text(&change.admin_user, update).bytes(sealed);
        if change.moves() {
            update = update.then(UNSEEN);
        }
        update = update.then(" WHERE account = ? AND id = ?").int(account).text(id);
        if change.moves() {
            update = update.then(UNUSED).text(id).text(id);
        }
        match self.database.run(update).await? {
            0 => Err(self.in_use_or_missing(account, id).await),
            _ => self.instance(account, id).await,
        }
    }

    /// Removes an instance that no unfinished job uses.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when it is another account's; [`Conflict::InUse`].
    pub async fn remove_instance(&self, account: i64, id: &str) -> Result<()> {
        let remove = sql("DELETE FROM instance WHERE account = ? AND id = ?").int(account).text(id);
        match self.database.run(remove.then(UNUSED).text(id).text(id)).await? {
            0 => Err(self.in_use_or_missing(account, id).await),
            _ => Ok(()),
        }
    }

    /// Why a change met no row.
    async fn in_use_or_missing(&self, account: i64, id: &str) -> Error {
        match self.instance(account, id).await {
            Ok(_) => Error::Conflict(Conflict::InUse),
            Err(error) => error,
        }
    }
}

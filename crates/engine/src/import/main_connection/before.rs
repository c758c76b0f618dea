//! Statements that a resumed import finds before its place: executed again only for the session.
//!
//! What they did to the data is in. It promises not to execute anything that could change data; a
//! prepared statement runs again only if its text is known to be harmless.

use dump::statement::{self, Kind};
use dump::token::{Token, Tokens};

use super::{Failed, Lock, MainConnection, Single, single_failed, write_locked};
use crate::error::Result;

impl MainConnection {
    /// Brings back what a statement made of the session.
    pub async fn before(&mut self, mut single: Single) -> std::result::Result<(), Box<Failed>> {
        let reply = single.reply.take();
        let outcome = self.again(&single).await;
        outcome.map_err(|error| single_failed(error, &single))?;
        if let Some(reply) = reply {
            let rules = self.ask_rules(single.rules).await;
            let rules = rules.map_err(|error| single_failed(error, &single))?;
            // The reader may have ended; then nobody needs the rules.
            let _ = reply.send(rules);
        }
        Ok(())
    }

    async fn again(&mut self, single: &Single) -> Result<()> {
        let Single { class, text, rules, .. } = single;
        let runs = match class.kind {
            Kind::LockTables => {
                let write = write_locked(text, *rules, self.target);
                self.lock = Lock { text: Some(text.clone()), write, held: false };
                return Ok(());
            }
            Kind::UnlockTables | Kind::Begin => false,
            Kind::Execute => self.is_harmless(single).await?,
            _ => true,
        };
        if runs {
            self.run(text).await?;
        }
        if class.kind == Kind::Use
            && let Some(stepping) = &mut self.stepping
        {
            let name = class.object.as_ref().map(|object| object.name.clone());
            stepping.use_database(name);
        }
        self.note_effects(class, text, *rules);
        Ok(())
    }

    /// PREPARE and DEALLOCATE are; EXECUTE is if what was prepared only sets or shows something.
    async fn is_harmless(&mut self, single: &Single) -> Result<bool> {
        let mut tokens =
            Tokens::new(&single.text, single.rules, self.target).map(|spanned| spanned.token);
        let verb = tokens.next();
        let is = |word: &str| verb.as_ref().is_some_and(|token| token.is(word));
        let name = tokens.next().and_then(|token| token.name());
        let name = name.unwrap_or_default().to_ascii_lowercase();
        if is("EXECUTE") {
            return Ok(self.harmless.contains(&name));
        }
        if !is("PREPARE") {
            return Ok(is("DEALLOCATE"));
        }
        let prepared = match tokens.nth(1) {
            Some(Token::String(text)) => Some(text[1..text.len() - 1].to_vec()),
            Some(Token::UserVariable(variable)) => {
                let quoted = String::from_utf8_lossy(&variable).replace('`', "``");
                let query = format!("SELECT @`{quoted}`");
                self.conn.scalar(&query).await?.map(String::into_bytes)
            }
            _ => None,
        };
        let is_harmless = prepared.is_some_and(|text| {
            let class = statement::classify(&text, single.rules, self.target);
            matches!(class.kind, Kind::Set | Kind::Use) && !class.is_privileged()
        });
        match is_harmless {
            true => self.harmless.insert(name),
            false => self.harmless.remove(&name),
        };
        Ok(true)
    }
}

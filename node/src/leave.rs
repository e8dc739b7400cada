//! Leaving the network: asks the coordinator, on behalf of the donor in a folder, and tells how far it has come.
//!
//! ```text
//!   leave ─▶ draining: the donor, which goes on serving, copies its shards away ─▶ released ─▶ DIR/receipt.json
//!     └ --cancel ─▶ as before                        └ a line whenever something has changed
//! ```
//! This is not the donor's process: it only asks. Stopping it changes nothing; asking again goes on watching.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use nodio_host::Shutdown;
use nodio_host::files::lock_folder;
use nodio_wire::NodeId;
use nodio_wire::api::{Ask, Leave, Standing, StandingState};
use nodio_wire::auth::Who;
use nodio_wire::client::{ApiError, NodeApi, http_pool};

use crate::agent::identity::Identity;
use crate::agent::standing::write_readable;
use crate::args::NodeFlags;
use crate::error::NodeError;
use crate::limits::LEAVE_POLL_MS;
use crate::size::ByteSize;

#[derive(Debug, Clone, Default, clap::Args)]
pub struct LeaveArgs {
    /// Take it back: the donor stays
    #[arg(long)]
    pub cancel: bool,
    /// Ask and return at once, instead of waiting until the donor is released
    #[arg(long)]
    pub no_wait: bool,
}

/// Asks that the donor of the configured folder may leave, or takes that back; prints what comes of it until the donor is released.
///
/// # Errors
/// One line each: no donor in the folder, one that never joined, a coordinator that is away or says no.
pub async fn leave(flags: &NodeFlags, args: &LeaveArgs) -> Result<(), NodeError> {
    let config = flags.load()?;
    config.check()?;
    let identity = Identity::of_donor(&config.data)?;
    let member = identity.member().ok_or_else(|| NodeError::NeverJoined(config.data.clone()))?;
    let coordinator = crate::coordinator(&config, &identity)?;
    let pool = http_pool().map_err(|error| NodeError::Failed(error.to_string()))?;
    let api = NodeApi::new(pool, coordinator, Who::Node(member.node), member.secret.clone());
    let question = Leave { node: member.node, cancel: args.cancel };
    let standing = api.leave(&question).await.map_err(NodeError::NotAsked)?;
    if args.cancel {
        say(&format!("donor {} stays: {}", member.node, described(&standing)));
        return Ok(());
    }
    let mut watch = Watch { api, node: member.node, folder: &config.data, said: String::new() };
    watch.begin(&standing);
    if args.no_wait && standing.state == StandingState::Draining {
        say(&described(&standing));
        return Ok(());
    }
    let interrupted = Shutdown::on_signals();
    tokio::select! {
        ended = watch.until_released(standing) => ended,
        () = interrupted.wait() => {
            say("the donor goes on leaving; `leave` again shows how far it is, `leave --cancel` takes it back");
            Ok(())
        }
    }
}

/// Looks at a donor's standing until it is released.
struct Watch<'a> {
    api: NodeApi,
    node: NodeId,
    folder: &'a Path,
    said: String,
}

impl Watch<'_> {
    fn begin(&self, standing: &Standing) {
        if standing.state != StandingState::Draining {
            return;
        }
        let node = self.node;
        say(&format!(
            "donor {node} is leaving; it must go on running until it is released, for it copies its shards away itself"
        ));
        if lock_folder(self.folder).is_ok() {
            say("it does not seem to be running now: please start it");
        }
    }

    async fn until_released(&mut self, mut standing: Standing) -> Result<(), NodeError> {
        loop {
            self.say_news(described(&standing));
            match standing.state {
                StandingState::Released => return self.released(standing),
                StandingState::Draining => {}
                StandingState::Refused if standing.left.is_some_and(|left| left.shards > 0) => {}
                StandingState::Refused => {
                    say("nothing it holds is counted on, so it can be stopped; there is no receipt");
                    return Ok(());
                }
                StandingState::Vetting | StandingState::Trusted => {
                    return Err(NodeError::Failed("the donor is not leaving any more: somebody has taken it back".into()));
                }
            }
            standing = self.look().await?;
        }
    }

    /// The standing a while later. A coordinator that is away is waited for, one that refuses is not.
    async fn look(&mut self) -> Result<Standing, NodeError> {
        loop {
            tokio::time::sleep(Duration::from_millis(LEAVE_POLL_MS)).await;
            match self.api.standing(&Ask { node: self.node }).await {
                Ok(standing) => return Ok(standing),
                Err(ApiError::Refused { status: 400..500, message }) => return Err(NodeError::Refused(message)),
                Err(error) => self.say_news(format!("{error}; still trying")),
            }
        }
    }

    fn released(&self, standing: Standing) -> Result<(), NodeError> {
        let Some(receipt) = standing.receipt else {
            say("the coordinator gave no receipt");
            return Ok(());
        };
        let path = self.folder.join("receipt.json");
        write_readable(&path, &receipt)
            .map_err(|error| NodeError::Failed(format!("the receipt can't be written to {}: {error}", path.display())))?;
        say(&format!("the receipt is in {}; the donor may be stopped now", path.display()));
        Ok(())
    }

    fn say_news(&mut self, line: String) {
        if line != self.said {
            say(&line);
            self.said = line;
        }
    }
}

/// A standing on one line.
fn described(standing: &Standing) -> String {
    let state = match standing.state {
        StandingState::Vetting => "vetting".to_owned(),
        StandingState::Trusted => "trusted".to_owned(),
        StandingState::Refused => "refused".to_owned(),
        StandingState::Released => "released".to_owned(),
        StandingState::Draining => match standing.left {
            Some(left) => format!("draining, {} shards ({}) left to copy away", left.shards, ByteSize(left.bytes)),
            None => "draining".to_owned(),
        },
    };
    if standing.reason.is_empty() { state } else { format!("{state}: {}", standing.reason) }
}

/// Prints to stdout at once. A reader that has gone away is no error: the wait goes on without it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

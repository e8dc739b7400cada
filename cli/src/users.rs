//! `nodio users`: users with an id, a display name and an e-mail address that are given rather than made up, and what they may hold.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use nodio_gateway::admin::Request;

use crate::accounts::QuotaArgs;
use crate::keys::ask;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// The data folder of `nodio up` or of the gateway.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// The gateway's settings file.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a user with a first access key; more keys come by `nodio keys create --user NAME`
    Create {
        /// Login name [default: the e-mail address or else the display name, in a login name's characters, or else the id]
        name: Option<String>,
        /// Canonical user id instead of 64 made-up hex digits: 1 to 64 letters, digits, dots, underscores or hyphens.
        #[arg(long)]
        id: Option<String>,
        /// The name as others see it; the login name unless given.
        #[arg(long)]
        display_name: Option<String>,
        /// E-mail address, by which ACLs may name the user.
        #[arg(long)]
        email: Option<String>,
        /// Access key to take instead of a made-up one.
        #[arg(long, requires = "secret_key")]
        access_key: Option<String>,
        /// Its secret.
        #[arg(long, requires = "access_key")]
        secret_key: Option<String>,
    },
    /// List all users with what lies in their buckets, whoever wrote it
    List,
    /// Show the quota for all buckets of a user together, or set it
    ///
    /// A limit that isn't given stays as it is. What would pass a limit is refused with 403 `QuotaExceeded`; what is there stays.
    Quota {
        /// Login name or id.
        name: String,
        #[command(flatten)]
        quota: QuotaArgs,
    },
}

impl What {
    fn request(self) -> Request {
        match self {
            Self::Create { name, id, display_name, email, access_key, secret_key } => {
                Request::CreateKey { user: name, display_name, access_key, secret_key, user_id: id, email, policy: None }
            }
            Self::List => Request::Users { after: None },
            Self::Quota { name, quota } => Request::UserQuota { user: name, change: quota.change() },
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<()> {
    ask(args.data, args.config.as_deref(), args.json, &args.what.request()).await
}

//! `nodio users`: users with an id, a display name and an e-mail address that are given rather than made up.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use nodio_gateway::admin::Request;

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
        /// Login name.
        name: String,
        /// Canonical user id, 64 lower-case hex digits, instead of a made-up one.
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
}

impl What {
    fn request(self) -> Request {
        let Self::Create { name, id, display_name, email, access_key, secret_key } = self;
        Request::CreateKey { user: name, display_name, access_key, secret_key, user_id: id, email, policy: None }
    }
}

pub(crate) async fn run(args: Args) -> Result<()> {
    ask(args.data, args.config.as_deref(), args.json, &args.what.request()).await
}

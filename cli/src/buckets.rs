//! `nodio buckets`: what lies in each bucket at this moment, and how much may.

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
    /// List all buckets with what lies in them, of all versions and uploads
    List,
    /// Show a bucket's quota, or set it
    ///
    /// A limit that isn't given stays as it is. What would pass a limit is refused with 403 `QuotaExceeded`; what is there stays.
    Quota {
        bucket: String,
        #[command(flatten)]
        quota: QuotaArgs,
    },
}

impl What {
    fn request(self) -> Request {
        match self {
            Self::List => Request::Usage { after: None },
            Self::Quota { bucket, quota } => Request::BucketQuota { bucket, change: quota.change() },
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<()> {
    ask(args.data, args.config.as_deref(), args.json, &args.what.request()).await
}

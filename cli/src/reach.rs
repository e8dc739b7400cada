//! Where the gateway and the coordinator are that a tool talks to.
//!
//! ```text
//!   --data DIR ─┬─► DIR/gateway, or DIR itself          names, parts        (--gateway-data, --config)
//!               └─► DIR/coordinator/operator.link       donors, segments    (--link)
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nodio_gateway::admin::{self, Reply, Request};
use nodio_gateway::config::GatewayConfig;
use nodio_wire::client::{OperatorApi, http_pool};
use nodio_wire::link::Link;

use crate::flags::Flags;
use crate::gateway::ENV_PREFIX;

/// The gateway's folder below the one of `nodio up`.
const GATEWAY_IN_UP: &str = "gateway";
const UP_FOLDER: &str = "nodio-data";
/// Where a coordinator of this machine leaves its operator's link, by `nodio up`'s and `nodio coordinator`'s default folders.
const USUAL_FOLDERS: [&str; 3] = ["nodio-data/coordinator", "data/coordinator", "."];
const OPERATOR_LINK: &str = "operator.link";

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Reach {
    /// The data folder of `nodio up`, where gateway and operator's link are found [default: nodio-data].
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// The gateway's data folder, where the roles run apart.
    #[arg(long)]
    pub(crate) gateway_data: Option<PathBuf>,
    /// The gateway's settings file, where the roles run apart.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// The operator's link (made by `nodio invite --for operator`).
    #[arg(long, env = "NODIO_LINK", hide_env_values = true)]
    pub(crate) link: Option<Link>,
}

impl Reach {
    /// The settings of the gateway, of which the folder matters.
    pub(crate) fn gateway(&self) -> Result<GatewayConfig> {
        let data = self.gateway_data.clone().or_else(|| self.data.clone());
        gateway_config(data, self.config.as_deref())
    }

    /// The coordinator, as its operator.
    pub(crate) fn operator(&self) -> Result<OperatorApi> {
        let link = match &self.link {
            Some(link) => link.clone(),
            None => find_link(self.data.as_deref())?,
        };
        Ok(OperatorApi::new(http_pool()?, &link))
    }
}

/// Asks the gateway, or its metadata where none runs.
///
/// # Errors
/// One line; also what was refused.
pub(crate) async fn ask_gateway(config: &GatewayConfig, request: &Request) -> Result<Reply> {
    match Box::pin(admin::ask(config, request)).await? {
        Reply::Refused { error } => bail!("{error}"),
        reply => Ok(reply),
    }
}

/// The same; users and buckets that come in pages are one answer.
///
/// # Errors
/// As [`ask_gateway`].
pub(crate) async fn ask_all(config: &GatewayConfig, request: &Request) -> Result<Reply> {
    let mut reply = ask_gateway(config, request).await?;
    while let Some(further) = further(&mut reply) {
        match (&mut reply, ask_gateway(config, &further).await?) {
            (Reply::Users { users, next }, Reply::Users { users: more, next: after }) => {
                users.extend(more);
                *next = after;
            }
            (Reply::Usage { buckets, next }, Reply::Usage { buckets: more, next: after }) => {
                buckets.extend(more);
                *next = after;
            }
            _ => bail!("the gateway answered something else than it was asked"),
        }
    }
    Ok(reply)
}

/// What asks for the next page.
fn further(reply: &mut Reply) -> Option<Request> {
    match reply {
        Reply::Users { next, .. } => next.take().map(|after| Request::Users { after: Some(after) }),
        Reply::Usage { next, .. } => next.take().map(|after| Request::Usage { after: Some(after) }),
        _ => None,
    }
}

/// `data` is the folder of `nodio up` or of the gateway itself.
pub(crate) fn gateway_config(data: Option<PathBuf>, config: Option<&Path>) -> Result<GatewayConfig> {
    let data = data.or_else(|| config.is_none().then(|| PathBuf::from(UP_FOLDER)).filter(|folder| folder.exists()));
    let data = data.map(|folder| gateways_own(&folder));
    let flags = Flags::default().text("data", data.as_ref().map(|path| path.display()));
    Ok(nodio_host::config::load(config, ENV_PREFIX, flags.into_table())?)
}

fn gateways_own(folder: &Path) -> PathBuf {
    let inner = folder.join(GATEWAY_IN_UP);
    if inner.is_dir() { inner } else { folder.to_owned() }
}

fn find_link(data: Option<&Path>) -> Result<Link> {
    let folders = match data {
        Some(data) => vec![data.join("coordinator"), data.to_owned()],
        None => USUAL_FOLDERS.map(PathBuf::from).to_vec(),
    };
    let path = folders.iter().map(|folder| folder.join(OPERATOR_LINK)).find(|path| path.exists());
    let path = path.with_context(|| {
        let looked: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let looked = looked.join(" or ");
        format!("no operator.link in {looked}: say --data DIR, or --link with what `nodio invite --for operator` prints")
    })?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    text.parse().with_context(|| format!("{} holds no link", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_up_leads_to_the_gateways() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(gateways_own(folder.path()), folder.path());
        std::fs::create_dir(folder.path().join(GATEWAY_IN_UP)).unwrap();
        assert_eq!(gateways_own(folder.path()), folder.path().join(GATEWAY_IN_UP));
        let reach = Reach { data: Some(folder.path().into()), ..Reach::default() };
        assert_eq!(reach.gateway().unwrap().data, folder.path().join(GATEWAY_IN_UP));
        let apart = Reach { gateway_data: Some("/elsewhere".into()), ..reach };
        assert_eq!(apart.gateway().unwrap().data, Path::new("/elsewhere"));
    }

    #[test]
    fn the_link_is_found_in_either_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_link(Some(folder.path())).unwrap_err().to_string().contains("--link"));
        let secret = nodio_wire::auth::Secret::random();
        let link = Link::for_role("h:1", nodio_wire::auth::Who::Operator, &secret).unwrap();
        std::fs::write(folder.path().join(OPERATOR_LINK), link.to_string()).unwrap();
        assert_eq!(find_link(Some(folder.path())).unwrap(), link);
    }
}

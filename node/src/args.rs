//! The command line of `nodio-node` and of `nodio node`: flags alone run a donor, `leave` says goodbye to the network.

use std::path::PathBuf;

use nodio_host::Shutdown;
use toml::{Table, Value};

use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::leave::LeaveArgs;

/// What to do; without a command, run a donor.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NodeArgs {
    #[command(flatten)]
    pub flags: NodeFlags,
    #[command(subcommand)]
    pub command: Option<NodeCommand>,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub enum NodeCommand {
    /// Leave the network: the running donor's shards are copied elsewhere, then it is released with a receipt
    Leave(LeaveArgs),
}

/// Flags win over the environment (NODIO_NODE_*), which wins over the file. Those that find a donor are known to every command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NodeFlags {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The invite, needed for the first start only: nodio://HOST:PORT/donor#SECRET
    #[arg(long, value_name = "LINK")]
    pub invite: Option<String>,
    /// Folder of the shards and of the donor's identity
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// Address to listen on, such as 0.0.0.0:7400
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Base URL at which gateways and other donors reach this donor
    #[arg(long, value_name = "URL")]
    pub advertise: Option<String>,
    /// The coordinator's base URL, if it has moved
    #[arg(long, value_name = "URL", global = true)]
    pub coordinator: Option<String>,
    /// Most disk space the shards may take, such as "50 GiB"
    #[arg(long, value_name = "SIZE")]
    pub capacity: Option<String>,
    /// Who runs this donor
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Where it stands
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// Acknowledge shards before they are on stable storage
    #[arg(long)]
    pub no_fsync: bool,
}

impl NodeFlags {
    /// The configuration of file, environment and these flags.
    pub fn load(&self) -> Result<NodeConfig, NodeError> {
        NodeConfig::load(self.config.as_deref(), self.table())
    }

    fn table(&self) -> Table {
        let data = self.data.as_ref().map(|path| path.to_string_lossy().into_owned());
        let said = [
            ("invite", &self.invite),
            ("data", &data),
            ("listen", &self.listen),
            ("advertise", &self.advertise),
            ("coordinator", &self.coordinator),
            ("capacity", &self.capacity),
            ("operator", &self.operator),
            ("zone", &self.zone),
        ];
        let mut table: Table =
            said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::String(value.clone()?)))).collect();
        if self.no_fsync {
            table.insert("fsync".into(), Value::Boolean(false));
        }
        table
    }
}

impl NodeArgs {
    /// True if this runs a donor, whose log is worth reading; false for a command that speaks to a person.
    pub fn is_donor(&self) -> bool {
        self.command.is_none()
    }
}

/// Runs a donor until SIGINT or SIGTERM, or does what the command says.
///
/// # Errors
/// One line for the person at the terminal; the process should end with a code other than 0.
pub async fn run(args: NodeArgs) -> Result<(), NodeError> {
    match args.command {
        None => donate(&args.flags).await,
        Some(NodeCommand::Leave(leave)) => crate::leave(&args.flags, &leave).await,
    }
}

async fn donate(flags: &NodeFlags) -> Result<(), NodeError> {
    let config = flags.load()?;
    let shutdown = Shutdown::on_signals();
    match crate::start(config, shutdown).await {
        Ok(node) => node.wait().await,
        Err(NodeError::Stopped) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_configuration() {
        let args = NodeFlags {
            data: Some("here".into()),
            listen: Some("127.0.0.1:0".into()),
            capacity: Some("5 GiB".into()),
            operator: Some("7".into()),
            no_fsync: true,
            ..NodeFlags::default()
        };
        let config = args.load().unwrap();
        assert_eq!(config.data, PathBuf::from("here"));
        assert_eq!((config.capacity_bytes(), config.listen.port(), config.fsync), (5 << 30, 0, false));
        assert_eq!(config.operator.as_deref(), Some("7"));
    }

    #[test]
    fn a_flag_that_cannot_be_read_is_named_and_no_secret_is_said() {
        let args = NodeFlags { invite: Some("nodio://h/donor#deadbeef".into()), ..NodeFlags::default() };
        let error = args.load().unwrap_err().to_string();
        assert!(error.contains("invite") && !error.contains("deadbeef") && !error.contains('\n'), "{error}");
    }

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        node: NodeArgs,
    }

    #[test]
    fn flags_alone_run_a_donor_and_leave_finds_its_folder_on_either_side() {
        let parse = |line: &str| <Cli as clap::Parser>::try_parse_from(line.split(' ')).unwrap().node;
        let donor = parse("nodio-node --data here --capacity 5GiB");
        assert!(donor.is_donor() && donor.flags.data == Some("here".into()));
        for line in ["nodio-node --data here leave --cancel", "nodio-node leave --data here --cancel"] {
            let args = parse(line);
            let Some(NodeCommand::Leave(leave)) = &args.command else { panic!("{line}") };
            assert!(leave.cancel && !leave.no_wait && args.flags.data == Some("here".into()), "{line}");
        }
        assert!(<Cli as clap::Parser>::try_parse_from(["nodio-node", "leave", "--capacity", "5 GiB"]).is_err());
    }
}

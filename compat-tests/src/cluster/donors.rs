//! The donors of a network: each with a folder, perhaps a relay before it and a small disk under it.

use std::net::SocketAddr;

use nodio_wire::NodeId;

use super::*;
use crate::manners::{Manner, Manners};
use crate::relay::Relay;

/// What a donor has time for after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A relay before a donor's own port.
pub(super) struct Front {
    relay: Kind,
    listen: SocketAddr,
}

enum Kind {
    Tap(Relay),
    Manners(Manners),
}

impl Front {
    async fn tap() -> Result<Self> {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        Ok(Self { relay: Kind::Tap(Relay::start(listen).await?), listen })
    }

    async fn manners(manner: Manner) -> Result<Self> {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        Ok(Self { relay: Kind::Manners(Manners::start(listen, manner).await?), listen })
    }

    fn addr(&self) -> SocketAddr {
        match &self.relay {
            Kind::Tap(relay) => relay.addr,
            Kind::Manners(relay) => relay.addr,
        }
    }
}

impl Cluster {
    /// One donor more, as the options want it, and starts it. Its number is the count of those before.
    pub async fn add_donor(&mut self) -> Result<usize> {
        let donor = self.donors.len();
        let front = match self.options.manner_of(donor) {
            Some(manner) => Some(Front::manners(manner).await?),
            None if self.options.tapped => Some(Front::tap().await?),
            None => None,
        };
        let disk = match self.options.disk_bytes_of(donor) {
            Some(bytes) => Some(SmallDisk::mount(&self.folder_inside(donor), bytes, &self.log("disk")).await?),
            None => None,
        };
        self.fronts.push(front);
        self.disks.push(disk);
        self.donors.push(None);
        self.start_donor(donor)?;
        Ok(donor)
    }

    pub fn donor_count(&self) -> usize {
        self.donors.len()
    }

    /// As the donor names it.
    fn folder_inside(&self, donor: usize) -> PathBuf {
        self.folder.path().join(format!("donors/{donor}"))
    }

    /// The donor's folder, also where it lies on a disk of its own.
    pub fn donor_folder(&self, donor: usize) -> PathBuf {
        let disk = self.disks.get(donor).and_then(Option::as_ref);
        disk.map_or_else(|| self.folder_inside(donor), SmallDisk::folder)
    }

    /// The name that the coordinator gave it; `None` before it joined.
    pub fn donor_node(&self, donor: usize) -> Option<NodeId> {
        let identity = fs::read(self.donor_folder(donor).join("identity.json")).ok()?;
        let identity: serde_json::Value = serde_json::from_slice(&identity).ok()?;
        Some(NodeId(u32::try_from(identity["member"]["node"].as_u64()?).ok()?))
    }

    /// Starts donor `donor` on its folder as it is.
    pub fn start_donor(&mut self, donor: usize) -> Result<()> {
        self.start_donor_with(donor, &[])
    }

    /// The same, with flags that come before its settings.
    pub fn start_donor_with(&mut self, donor: usize, flags: &[&str]) -> Result<()> {
        let name = format!("donor-{donor}");
        if !self.config(&name).exists() {
            self.write_donor_config(&name, donor)?;
        }
        let mut command = self.command("nodio-node", &[], &name)?;
        if let Some(disk) = &self.disks[donor] {
            command = behind(&disk.enter(), &command);
        }
        self.donors[donor] = Some(Process::spawn(&name, command.args(flags), &self.log(&name))?);
        Ok(())
    }

    fn write_donor_config(&self, name: &str, donor: usize) -> Result<()> {
        let mut config = toml::Table::new();
        config.insert("listen".into(), "127.0.0.1:0".into());
        config.insert("capacity".into(), "4 GiB".into());
        config.extend(self.options.donor.clone());
        if self.disks[donor].is_some() {
            // All of it, so that it is the disk and not the donor's own caution that sets the limit.
            config.insert("disk_reserve".into(), "0 B".into());
        }
        config.insert("data".into(), text(&self.folder_inside(donor)).into());
        config.insert("invite".into(), self.invite("donor")?.into());
        if let Some(front) = &self.fronts[donor] {
            config.insert("listen".into(), front.listen.to_string().into());
            config.insert("advertise".into(), format!("http://{}", front.addr()).into());
        }
        self.write_config(name, &config)
    }

    /// Bytes that passed the wire taps, and whether `marker` was among them.
    pub fn tapped(&self, marker: &[u8]) -> (usize, bool) {
        let taps = self.fronts.iter().flatten().filter_map(|front| match &front.relay {
            Kind::Tap(relay) => Some(relay.seen(marker)),
            Kind::Manners(_) => None,
        });
        taps.fold((0, false), |(bytes, found), (more, here)| (bytes + more, found || here))
    }

    /// The relay before a donor that was given manners.
    pub fn manners(&self, donor: usize) -> Option<&Manners> {
        match &self.fronts.get(donor)?.as_ref()?.relay {
            Kind::Manners(relay) => Some(relay),
            Kind::Tap(_) => None,
        }
    }

    /// The disk of a donor that was given one of its own.
    pub fn disk(&self, donor: usize) -> Option<&SmallDisk> {
        self.disks.get(donor)?.as_ref()
    }

    pub fn kill_donor(&mut self, donor: usize) {
        self.donors[donor] = None;
    }

    /// SIGTERM, so that its files are as it wants them.
    pub fn stop_donor(&mut self, donor: usize) -> Result<()> {
        let Some(mut process) = self.donors[donor].take() else { return Ok(()) };
        process.terminate(STOP_PATIENCE).map(drop)
    }

    pub fn donor_runs(&self, donor: usize) -> bool {
        self.donors[donor].is_some()
    }

    /// Waits until a donor ends by itself.
    pub async fn wait_for_donor_end(&mut self, donor: usize, patience: Duration) -> Result<std::process::ExitStatus> {
        let process = self.donors[donor].as_mut().context("the donor does not run")?;
        wait::until("the donor ends", patience, async || process.try_ended()?.context("it runs")).await
    }

    /// Kills the donor, empties its folder and starts another in its place.
    pub fn replace_donor(&mut self, donor: usize) -> Result<()> {
        self.kill_donor(donor);
        fs::remove_dir_all(self.donor_folder(donor))?;
        self.start_donor(donor)
    }
}

/// The same command behind `words`.
fn behind(words: &[String], command: &Command) -> Command {
    let mut outer = Command::new(&words[0]);
    outer.env_clear().args(&words[1..]).arg(command.get_program()).args(command.get_args());
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

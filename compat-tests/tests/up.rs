//! `nodio up`: one command, everything ready, and everything still there after a restart.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::process::{Captured, Process, binary, free_port, run_captured};
use nodio_compat_tests::s3::{AccessKey, S3};
use nodio_compat_tests::wait;
use nodio_wire::api::Status;
use nodio_xtask::clients;

const PATIENCE: Duration = Duration::from_secs(60);

struct Up {
    folder: tempfile::TempDir,
    listen: String,
    coordinator: String,
}

impl Up {
    fn new() -> Result<Self> {
        let addr = || anyhow::Ok(format!("127.0.0.1:{}", free_port()?));
        Ok(Self { folder: tempfile::tempdir()?, listen: addr()?, coordinator: addr()? })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it and returns once it says `ready`, with what it said until then.
    async fn start(&self, words: &[&str]) -> Result<(Process, String)> {
        let mut command = Command::new(binary("nodio")?);
        command.env_clear().env("NODIO_LOG", "warn").arg("up").arg("--data").arg(self.data());
        command.args(["--listen", &self.listen, "--coordinator-listen", &self.coordinator]).args(words);
        let log = self.folder.path().join(format!("up-{}.log", nodio_wire::PartId::random()));
        let mut process = Process::spawn("nodio up", &mut command, &log)?;
        let said = wait::until("nodio up is ready", PATIENCE, async || {
            process.check_alive()?;
            let said = fs::read_to_string(&log)?;
            ensure!(said.lines().any(|line| line == "ready"), "{said}");
            Ok(said)
        });
        let said = said.await?;
        Ok((process, said))
    }

    fn s3(&self) -> Result<S3> {
        let text = fs::read_to_string(self.data().join("aws.env"))?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        let value =
            |name: &str| value(name).map(|value| value.trim_matches('\'').to_owned()).with_context(|| format!("no {name}"));
        let key = AccessKey { id: value("AWS_ACCESS_KEY_ID")?, secret: value("AWS_SECRET_ACCESS_KEY")? };
        S3::new(value("AWS_ENDPOINT_URL")?, &value("AWS_REGION")?, key)
    }

    fn nodio(&self, words: &[&str]) -> Result<Captured> {
        run_captured(Command::new(binary("nodio")?).env_clear().args(words), PATIENCE)
    }

    fn status(&self) -> Result<Status> {
        let data = self.data();
        Ok(serde_json::from_str(&self.nodio(&["status", "--json", "--data", &data.to_string_lossy()])?.ok()?)?)
    }
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_makes_an_endpoint_that_survives_restarts() -> Result<()> {
    let up = Up::new()?;
    let data = Data::new(1, 5_000_000);
    let (mut process, said) = up.start(&[]).await?;
    ensure!(said.contains("master.key") && said.contains("copy"), "nothing is said about the master key:\n{said}");
    for wanted in ["aws s3 cp", "rclone config create", "export AWS_ACCESS_KEY_ID="] {
        ensure!(said.contains(wanted), "{wanted} is not said:\n{said}");
    }
    ensure!(mode(&up.data().join("aws.env"))? == 0o600 && mode(&up.data().join("gateway/master.key"))? == 0o600);
    let s3 = up.s3()?;
    s3.must_put("my-bucket", "kept", data).await?;
    let status = up.status()?;
    ensure!(status.nodes.len() == 6 && status.segments.full > 0, "{status:?}");
    ensure!(process.terminate(PATIENCE)?.success(), "a stop by SIGTERM is no failure");

    let (mut process, said) = up.start(&["--donors", "7"]).await?;
    ensure!(!said.contains("master.key"), "the notice comes once only:\n{said}");
    ensure!(up.s3()?.key.id == s3.key.id && up.s3()?.key.secret == s3.key.secret, "the access key changed");
    s3.must_read("my-bucket", "kept", data).await?;
    process.kill();

    let (mut process, _) = up.start(&[]).await?;
    s3.must_read("my-bucket", "kept", data).await?;
    ensure!(up.status()?.nodes.len() == 7, "the donors are not the same");
    process.terminate(PATIENCE)?;
    let fewer = up.nodio(&["up", "--donors", "6", "--data", &up.data().to_string_lossy()])?;
    ensure!(fewer.status.code() == Some(2) && fewer.stderr.lines().count() == 1, "{fewer:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_keys_are_taken_and_keys_come_and_go_while_it_runs() -> Result<()> {
    let up = Up::new()?;
    let words = ["--access-key", "mykey", "--secret-key", "my/secret+key=", "--bucket", "first", "--donors", "3", "--no-fsync"];
    let (_process, _) = up.start(&words).await?;
    let s3 = up.s3()?;
    ensure!(s3.key.id == "mykey" && s3.key.secret == "my/secret+key=");
    s3.must_put("first", "a", Data::new(2, 100_000)).await?;
    a_shell_sources_the_environment(&up)?;

    let data = up.data();
    let gateway = data.join("gateway").to_string_lossy().into_owned();
    let keys = |words: &[&str]| up.nodio(&[&["keys"], words, &["--data", &gateway]].concat())?.ok();
    keys(&["create", "--user", "alice", "--access-key", "alicekey", "--secret-key", "alicesecret"])?;
    let key = AccessKey { id: "alicekey".into(), secret: "alicesecret".into() };
    let alice = S3::new(s3.endpoint.clone(), "us-east-1", key)?;
    wait::until("alice's key works", PATIENCE, async || alice.must_make_bucket("of-alice").await).await?;
    let listed = keys(&["list"])?;
    ensure!(listed.contains("alicekey") && listed.contains("mykey") && !listed.contains("alicesecret"), "{listed}");
    keys(&["revoke", "alicekey"])?;
    wait::until("alice's key is refused", PATIENCE, async || {
        let put = alice.put("of-alice", "x", Data::new(1, 1)).await?;
        ensure!(put.as_ref().is_err_and(|refusal| refusal.code == "InvalidAccessKeyId"), "{put:?}");
        Ok(())
    })
    .await
}

/// aws-cli with nothing but the file that `nodio up` wrote.
fn a_shell_sources_the_environment(up: &Up) -> Result<()> {
    let Some(python) = clients::or_skip("aws-cli", clients::python())? else { return Ok(()) };
    let script = format!(". {}/aws.env && {} s3 ls s3://first/", up.data().display(), python.aws.display());
    let mut shell = Command::new("sh");
    shell
        .env_clear()
        .env("HOME", up.folder.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(["-c", &script]);
    let listed = run_captured(&mut shell, PATIENCE)?.ok()?;
    ensure!(listed.contains("100000 a"), "{listed}");
    Ok(())
}

//! `cargo xtask`: the project's chores.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use nodio_xtask::clients;
use nodio_xtask::fuzz::{Length, fuzz};
use nodio_xtask::growth::Growth;
use nodio_xtask::operations;
use nodio_xtask::run::{find_on_path, root, run};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--only NAME]   format, lints, build, S3 clients, some fuzzing, every test; with --only, just the tests whose name contains NAME
  fmt                  format the code
  clippy               lints, warnings being errors
  clients              install the S3 clients the tests use
  fuzz [SECONDS]       every fuzz target for so long, 60 s unless said; what breaks a promise is kept in fuzz/artifacts
  operations           write the README's table of S3's operations anew
  growth [OPTIONS]     measure cost against growth with `nodio up` and `nodio bench`, into docs/plots: some ten minutes
    --axis NAME        only this one: objects, donors, size, concurrency
    --quick            few, short points in under a minute, which only show that it works
    --folder FOLDER    write there instead";

/// To each fuzz target among the tests: some seconds.
const FUZZ_INPUTS: u32 = 200_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test_everything(),
        ["test", "--only", name] => test_only(name),
        ["fmt"] => run(cargo().args(["fmt", "--all"])),
        ["clippy"] => clippy(),
        ["clients"] => install_clients(),
        ["fuzz"] => fuzz(&root(), cargo, Length::Seconds(60)),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz(&root(), cargo, Length::Seconds(seconds)),
            Err(_) => return usage(),
        },
        ["operations"] => operations::write(&root()),
        ["growth", options @ ..] => match Growth::parse(options) {
            Some(growth) => growth.run(cargo()),
            None => return usage(),
        },
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn test_everything() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    clippy()?;
    run(cargo().args(["build", "--workspace", "--bins"]))?;
    install_clients()?;
    fuzz(&root(), cargo, Length::Inputs(FUZZ_INPUTS))?;
    run_tests(&[])
}

fn test_only(name: &str) -> Result<()> {
    run(cargo().args(["build", "--workspace", "--bins"]))?;
    run_tests(&[name])
}

fn clippy() -> Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn install_clients() -> Result<()> {
    let python = clients::or_skip("aws-cli and boto3", clients::python())?.map(|python| python.aws);
    let node = clients::or_skip("the SDK for JavaScript", clients::node())?.map(|node| node.modules);
    let rclone = clients::or_skip("rclone", clients::rclone())?;
    let restic = clients::or_skip("restic", clients::restic())?;
    let duplicity = clients::or_skip("duplicity", clients::duplicity())?;
    let s3fs = clients::or_skip("s3fs", clients::s3fs())?;
    for path in [python, node, rclone, restic, duplicity, s3fs].into_iter().flatten() {
        eprintln!("test client: {}", path.display());
    }
    Ok(())
}

/// The runner's own summary stays the last thing printed.
fn run_tests(filter: &[&str]) -> Result<()> {
    if find_on_path("cargo-nextest").is_some() {
        return run(cargo().args(["nextest", "run", "--workspace"]).args(filter));
    }
    eprintln!("cargo-nextest is not installed (`cargo install cargo-nextest --locked`): using the slower `cargo test`");
    let status = run(cargo().args(["test", "--workspace", "--no-fail-fast"]).args(filter));
    if status.is_err() {
        bail!("some tests failed");
    }
    Ok(())
}

/// The cargo that runs this, so that both use one toolchain.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

//! Clients nobody here wrote, run as processes.

use std::process::Output;

use tokio::process::Command;

/// Runs a program to its end; panics with its output when it fails.
pub async fn run(program: &str, arguments: &[&str]) -> String {
    let output = output(program, arguments).await;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{program} {arguments:?} failed:\n{text}");
    text
}

/// Runs a program to its end.
pub async fn output(program: &str, arguments: &[&str]) -> Output {
    let run = Command::new(program).args(arguments).kill_on_drop(true).output();
    match tokio::time::timeout(std::time::Duration::from_secs(300), run).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            panic!("{program} cannot be run ({error}): scripts/setup test installs it")
        }
        Err(_) => panic!("{program} {arguments:?} did not end within 300 s"),
    }
}

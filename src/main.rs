//! The executable: parses the command line, runs it, sets the exit code.

fn main() -> std::process::ExitCode {
    match eider::cli::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "eider: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

//! `layer warm`

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use http::Method;
use serde_json::Value;

use super::encoded;
use crate::{
    arguments::{Format, Warm},
    client::Router,
    failure::Failure,
    output::say,
};

/// How often a job is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often it may not be seen in a row: the router may be restarting.
const UNSEEN_MAX: u32 = 20;
/// Characters of the bar.
const WIDTH: usize = 30;

/// Reads a namespace into the document cache, and shows how far it is.
pub async fn warm(arguments: &Warm) -> Result<(), Failure> {
    let router = Router::new(&arguments.mesh)?;
    let namespace = encoded(&arguments.namespace);
    let path = format!("/v2/namespaces/{namespace}/warm?page_size={}", arguments.page_size);
    let job = router.json(Method::POST, &path, None).await?;
    let path = format!("/v2/namespaces/{namespace}/warm-jobs/{}", job["id"].as_str().unwrap_or_default());
    if arguments.detach {
        return told(arguments, &job);
    }
    let job = tokio::select! {
        job = followed(&router, &path, job, Progress::new(arguments)) => job?,
        _ = tokio::signal::ctrl_c() => {
            router.json(Method::DELETE, &path, None).await?;
            return Err(Failure::new("interrupted: the job is cancelled; what it has read stays in the cache"));
        }
    };
    told(arguments, &job)?;
    match job["status"].as_str() {
        Some("completed") => Ok(()),
        Some("cancelled") => Err(Failure::new("the job was cancelled")),
        _ => Err(Failure::new(format!("the job failed: {}", job["error"].as_str().unwrap_or("no reason given")))),
    }
}

/// Follows a job to its end.
async fn followed(router: &Router, path: &str, mut job: Value, mut progress: Progress) -> Result<Value, Failure> {
    let mut unseen = 0;
    while job["status"] == "running" {
        progress.show(&job);
        tokio::time::sleep(LOOK).await;
        match router.json(Method::GET, path, None).await {
            Ok(now) => (job, unseen) = (now, 0),
            Err(failure) if unseen == UNSEEN_MAX => return Err(failure),
            Err(_) => unseen += 1,
        }
    }
    progress.show(&job);
    progress.end();
    Ok(job)
}

fn told(arguments: &Warm, job: &Value) -> Result<(), Failure> {
    match arguments.mesh.output {
        Format::Json => say(&format!("{job}\n")),
        Format::Table => say(&format!(
            "{} {}: {} of {} documents read into the cache, job {}\n",
            arguments.namespace,
            job["status"].as_str().unwrap_or("?"),
            job["documents_warmed"],
            job["documents_scanned"],
            job["id"].as_str().unwrap_or("?"),
        )),
    }
    Ok(())
}

/// What is shown meanwhile, on standard error: a bar on a terminal, else a line whenever another tenth is done.
enum Progress {
    Bar,
    Lines { tenths: Option<u64> },
}

impl Progress {
    fn new(arguments: &Warm) -> Self {
        match std::io::stderr().is_terminal() && arguments.mesh.output == Format::Table {
            true => Self::Bar,
            false => Self::Lines { tenths: None },
        }
    }

    fn show(&mut self, job: &Value) {
        let mut out = std::io::stderr().lock();
        // A reader that has gone needs no progress.
        let _ = match self {
            Self::Bar => write!(out, "\r{}", bar(job)).and_then(|()| out.flush()),
            Self::Lines { tenths } => {
                let now = percent(job) / 10;
                match tenths.replace(now) == Some(now) {
                    true => Ok(()),
                    false => writeln!(out, "{}% {} documents", percent(job), job["documents_scanned"]),
                }
            }
        };
    }

    fn end(&self) {
        if let Self::Bar = self {
            eprintln!();
        }
    }
}

fn percent(job: &Value) -> u64 {
    let part = job["progress"].as_f64().unwrap_or(0.0).clamp(0.0, 1.0);
    // Between 0 and 100 by the line before.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let percent = (part * 100.0) as u64;
    percent
}

fn bar(job: &Value) -> String {
    let percent = percent(job);
    let done = usize::try_from(percent).unwrap_or(100) * WIDTH / 100;
    format!("[{}{}] {percent:>3}% {} documents", "#".repeat(done), ".".repeat(WIDTH - done), job["documents_scanned"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bar_is_as_long_as_the_job_is_far() {
        let at = |progress: f64| bar(&json!({"progress": progress, "documents_scanned": 7}));
        assert_eq!(at(0.5), format!("[{}{}]  50% 7 documents", "#".repeat(15), ".".repeat(15)));
        assert!(at(1.0).contains(&"#".repeat(WIDTH)) && at(9.0) == at(1.0) && at(0.0).contains("[."));
    }
}

//! What the endpoint says of its rate limits, and the patience that it asks for.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

/// The longest that an endpoint is believed: one that says a day is taken at its word a piece at a time.
const PATIENCE_MAX: Duration = Duration::from_secs(120);

/// Until when nobody sends.
#[derive(Default)]
pub(super) struct Patience {
    until: Mutex<Option<Instant>>,
}

impl Patience {
    /// Asks all for patience for a time.
    pub(super) fn ask(&self, time: Duration) {
        let until = Instant::now() + time.min(PATIENCE_MAX);
        let mut held = self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held = Some(held.map_or(until, |held| held.max(until)));
    }

    /// Waits until sending is allowed. Whether that was before `deadline`.
    pub(super) async fn wait(&self, deadline: Instant) -> bool {
        loop {
            let held = *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let Some(until) = held.filter(|until| *until > Instant::now()) else { return Instant::now() < deadline };
            if until >= deadline {
                return false;
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }
}

/// How long a refusal asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return seconds(ms / 1000.0);
    }
    let value = text("retry-after")?;
    match value.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).unwrap_or_default()),
    }
}

/// How long an answer asks to wait because it used up what was left, of requests or of tokens.
pub(super) fn used_up(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: String| headers.get(name)?.to_str().ok().map(str::trim);
    let kinds = ["requests", "tokens"].into_iter();
    kinds
        .filter(|kind| text(format!("x-ratelimit-remaining-{kind}")).is_some_and(|left| left == "0"))
        .filter_map(|kind| span(text(format!("x-ratelimit-reset-{kind}"))?))
        .max()
}

/// A span of time as OpenAI writes it: `20ms`, `1.5s`, `6m0s`, `1h0m0s`; a bare number is seconds.
fn span(text: &str) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let (mut rest, mut whole) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| character != '.' && !character.is_ascii_digit())?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len() - digits);
        whole += number
            * match &rest[digits..digits + unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[digits + unit..];
    }
    seconds(whole)
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn spans_are_read_as_they_are_written() {
        let ms = |text| span(text).map(|span| span.as_millis());
        assert_eq!(
            [ms("20ms"), ms("1.5s"), ms("6m0s"), ms("1h2m3s")],
            [Some(20), Some(1500), Some(360_000), Some(3_723_000)]
        );
        assert_eq!([ms("2"), ms(""), ms("x"), ms("1d"), ms("-1")], [Some(2000), Some(0), None, None, None]);
    }

    #[test]
    fn refusals_name_their_wait_in_three_ways() {
        assert_eq!(
            retry_after(&headers(&[("retry-after", "3"), ("retry-after-ms", "40")])),
            Some(Duration::from_millis(40))
        );
        assert_eq!(retry_after(&headers(&[("retry-after", "3")])), Some(Duration::from_secs(3)));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(retry_after(&headers(&[("retry-after", &soon)])).is_some_and(|wait| wait > Duration::from_secs(90)));
        assert_eq!(retry_after(&headers(&[])), None);
    }

    #[test]
    fn what_is_used_up_is_waited_for() {
        let left = [("x-ratelimit-remaining-requests", "3"), ("x-ratelimit-reset-requests", "9s")];
        assert_eq!(used_up(&headers(&left)), None);
        let none = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "9s"), left[0], left[1]];
        assert_eq!(used_up(&headers(&none)), Some(Duration::from_secs(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_deadline() {
        let patience = Patience::default();
        assert!(patience.wait(Instant::now() + Duration::from_secs(1)).await);
        patience.ask(Duration::from_secs(60));
        assert!(!patience.wait(Instant::now() + Duration::from_secs(1)).await);
    }
}

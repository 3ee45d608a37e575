//! The little statistics that the tables need.

/// Several measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// The spread of `values`, or `None` when there are none or one is not a number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.iter().any(|value| value.is_nan()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let (&low, &high) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, low, high })
    }
}

/// `1.23 (1.10 to 1.40)`, or one number when all rounds agree in what is shown.
pub fn range(spread: Option<Spread>, decimals: usize) -> String {
    let Some(spread) = spread else {
        return String::new();
    };
    let [median, low, high] = [spread.median, spread.low, spread.high].map(|value| number(value, decimals));
    if low == high { median } else { format!("{median} ({low} to {high})") }
}

/// A number with this many decimals.
pub fn number(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

/// How a measured spread stands to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every round kept it.
    Pass,
    /// The median kept it, not every round.
    PassInNoise,
    /// The median missed it, not every round.
    OverInNoise,
    /// Every round missed it.
    Over,
}

impl Verdict {
    /// The verdict on `spread`, which should be at most `limit`.
    pub fn of(spread: Spread, limit: f64) -> Self {
        match (spread.median <= limit, spread.low <= limit, spread.high <= limit) {
            (true, _, true) => Self::Pass,
            (true, _, false) => Self::PassInNoise,
            (false, true, _) => Self::OverInNoise,
            (false, false, _) => Self::Over,
        }
    }

    /// The verdict on `spread`, which should be at least `limit`.
    pub fn of_least(spread: Spread, limit: f64) -> Self {
        Self::of(Spread { median: -spread.median, low: -spread.high, high: -spread.low }, -limit)
    }

    /// Whether the median kept the limit.
    pub fn passes(self) -> bool {
        matches!(self, Self::Pass | Self::PassInNoise)
    }

    /// As shown in the tables.
    pub fn text(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::PassInNoise => "PASS (noise reaches over)",
            Self::OverInNoise => "OVER (noise reaches under)",
            Self::Over => "OVER",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_in_any_order() {
        let odd = Spread::of([3.0, 1.0, 100.0]).unwrap();
        assert_eq!((odd.low, odd.median, odd.high), (1.0, 3.0, 100.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 8.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of([7.0]).unwrap().median, 7.0);
    }

    #[test]
    fn nothing_has_no_spread() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
    }

    #[test]
    fn a_verdict_tells_noise_from_a_clear_result() {
        let spread = Spread { low: 1.0, median: 2.0, high: 3.0 };
        let verdicts = [0.5, 1.5, 2.0, 3.0].map(|limit| Verdict::of(spread, limit));
        use Verdict::{Over, OverInNoise, Pass, PassInNoise};
        assert_eq!(verdicts, [Over, OverInNoise, PassInNoise, Pass]);
    }
}

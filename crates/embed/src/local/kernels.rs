//! What stands between a model's products: one pass over the numbers for each step, in the widest registers of the machine.
//!
//! The functions are plain loops over pieces of 16 numbers, which the compiler turns into vector instructions; `pulp` picks at run time
//! the ones that the processor has. Sums are taken in 16 parts, so they differ from a sum from left to right by rounding only.

use std::f32::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

use pulp::Arch;

/// How many numbers are worked on at once.
const PIECE: usize = 16;

/// `e` to the power of `x`, to about 1e-7 of its value; 0 and the largest number where it leaves the range. Cephes' `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Added to a number, it leaves the number's nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = LN_2 - LN_2_HIGH;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let mut power = 1.987_569_1e-4;
    for next in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        power = power * rest + next;
    }
    let power = power * rest * rest + rest + 1.0;
    power * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

/// The error function, to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let mut sum = 1.061_405_4;
    for next in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        sum = sum * t + next;
    }
    (1.0 - sum * t * exp(-size * size)).copysign(x)
}

/// The Gaussian error linear unit, as it is defined (not its tanh approximation).
#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * FRAC_1_SQRT_2))
}

/// Adds `bias` to each row, and takes the Gaussian error linear unit of all numbers.
pub(super) fn add_and_gelu(rows: &mut [f32], bias: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                for (number, bias) in row.iter_mut().zip(bias) {
                    *number = gelu(*number + bias);
                }
            }
        },
    );
}

/// Adds `bias` and the rows that were there `before` to each row, then gives it the mean 0 and the variance 1, times `scale`, plus
/// `shift`.
pub(super) fn add_and_normalize(rows: &mut [f32], before: &[f32], [bias, scale, shift]: [&[f32]; 3], epsilon: f32) {
    let width = bias.len();
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, before) in rows.chunks_exact_mut(width).zip(before.chunks_exact(width)) {
                for ((number, before), bias) in row.iter_mut().zip(before).zip(bias) {
                    *number += before + bias;
                }
                let mean = sum(row, |number| number) / width as f32;
                let variance = sum(row, |number| (number - mean) * (number - mean)) / width as f32;
                let factor = 1.0 / (variance + epsilon).sqrt();
                for ((number, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
                    *number = (*number - mean) * factor * scale + shift;
                }
            }
        },
    );
}

/// Turns numbers into shares of one: `e` to the power of each, divided by the sum of all.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32]) {
    let (pieces, rest) = row.as_chunks::<PIECE>();
    let mut most = [f32::NEG_INFINITY; PIECE];
    for piece in pieces {
        for (most, number) in most.iter_mut().zip(piece) {
            *most = most.max(*number);
        }
    }
    let most = most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, number| most.max(*number));
    for number in row.iter_mut() {
        *number = exp(*number - most);
    }
    let factor = 1.0 / sum(row, |number| number);
    for number in row.iter_mut() {
        *number *= factor;
    }
}

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (pieces, rest) = row.as_chunks::<PIECE>();
    let mut sums = [0.0; PIECE];
    for piece in pieces {
        for (sum, number) in sums.iter_mut().zip(piece) {
            *sum += of(*number);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|number| of(*number)).sum::<f32>()
}

/// The mean of rows of `width` numbers.
pub(super) fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(mean, number)| *mean += number);
    }
    let count = (rows.len() / width) as f32;
    mean.iter_mut().for_each(|number| *number /= count);
    mean
}

/// Gives a vector the length 1; one of length 0 stays.
pub(super) fn normalize(vector: &mut [f32]) {
    // The same floor as PyTorch's `normalize`.
    let length = sum(vector, |number| number * number).sqrt().max(1e-12);
    vector.iter_mut().for_each(|number| *number /= length);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its series, for small numbers.
    fn erf_by_series(x: f64) -> f64 {
        let mut term = x;
        let mut sum = x;
        for n in 1..60 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        2.0 / std::f64::consts::PI.sqrt() * sum
    }

    #[test]
    fn functions_are_as_exact_as_they_say() {
        for step in -300..=300 {
            let x = step as f32 / 100.0;
            assert!((f64::from(erf(x)) - erf_by_series(f64::from(x))).abs() < 3e-7, "erf({x})");
            let wanted = f64::from(x).exp();
            assert!((f64::from(exp(x)) - wanted).abs() < 3e-7 * wanted, "exp({x})");
        }
        assert!(exp(-1e30) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::NAN).is_nan());
        assert_eq!((erf(9.0), erf(-9.0)), (1.0, -1.0));
    }

    #[test]
    fn rows_are_normalized_whatever_their_width() {
        for width in [1, 15, 16, 17, 40] {
            let mut rows: Vec<f32> = (0..2 * width).map(|at| (at * at % 23) as f32).collect();
            let [zero, one] = [vec![0.0; 2 * width], vec![1.0; width]];
            let bias: Vec<f32> = (0..width).map(|at| at as f32).collect();
            let given = rows.clone();
            add_and_normalize(&mut rows, &zero, [&bias, &one, &zero[..width]], 1e-6);
            for (row, given) in rows.chunks(width).zip(given.chunks(width)) {
                let given: Vec<f64> = given.iter().zip(&bias).map(|(a, b)| f64::from(a + b)).collect();
                let mean = given.iter().sum::<f64>() / width as f64;
                let variance = given.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / width as f64;
                for (number, given) in row.iter().zip(&given) {
                    assert!((f64::from(*number) - (given - mean) / (variance + 1e-6).sqrt()).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn shares_sum_to_one() {
        for count in [1, 7, 16, 100] {
            let mut row: Vec<f32> = (0..count).map(|at| (at * 7 % 13) as f32).collect();
            softmax(&mut row);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}

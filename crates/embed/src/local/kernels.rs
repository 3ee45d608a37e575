//! What stands between a model's products: one pass over the numbers for each step, in the widest registers of the machine.
//!
//! Sums are taken in as many parts as a register has numbers, so they differ from a sum from left to right by rounding only.

use std::f32::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

use pulp::{Arch, Simd};

/// How many numbers are worked on at once.
const PIECE: usize = 16;

/// `e` to the power of `x`, to about 1e-7 of its value; 0 and the largest number where it leaves the range. Cephes' `expf`.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Added to a number, it leaves the number's nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = LN_2 - LN_2_HIGH;
    // What is not a number stays second: so it is handed on.
    let x = simd.min_f32s(simd.splat_f32s(88.0), simd.max_f32s(simd.splat_f32s(-87.0), x));
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(LOG2_E), simd.splat_f32s(ROUND));
    let whole = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let rest = simd.mul_add_e_f32s(whole, simd.splat_f32s(-LN_2_HIGH), x);
    let rest = simd.mul_add_e_f32s(whole, simd.splat_f32s(-LN_2_LOW), rest);
    let terms = [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5, 1.0, 1.0];
    let power = polynomial(simd, rest, 1.987_569_1e-4, terms);
    let places = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let scale = simd.add_u32s(places, simd.splat_u32s(1.0_f32.to_bits()));
    simd.mul_f32s(power, simd.transmute_f32s_u32s(scale))
}

/// The error function, to 4e-7: an odd polynomial through an even one, the minimax fit that Eigen and XLA use.
#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.min_f32s(simd.splat_f32s(4.0), simd.max_f32s(simd.splat_f32s(-4.0), x));
    let square = simd.mul_f32s(x, x);
    let above = [2.770_681_4e-8, -2.101_024_1e-6, -5.692_506_4e-5, -7.349_906_3e-4, -2.954_6e-3, -1.609_603_3e-2];
    let below = [-2.133_740_6e-4, -1.682_827e-3, -7.373_329_3e-3, -1.426_473_9e-2];
    let above = simd.mul_f32s(x, polynomial(simd, square, -2.726_142_3e-10, above));
    simd.div_f32s(above, polynomial(simd, square, -1.456_607_2e-5, below))
}

/// A polynomial by Horner's rule, its terms from the highest on.
#[inline(always)]
fn polynomial<S: Simd, const TERMS: usize>(simd: S, x: S::f32s, highest: f32, terms: [f32; TERMS]) -> S::f32s {
    let mut sum = simd.splat_f32s(highest);
    for term in terms {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(term));
    }
    sum
}

/// The Gaussian error linear unit, as it is defined (not its tanh approximation).
#[inline(always)]
pub(super) fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = simd.mul_f32s(x, simd.splat_f32s(0.5));
    simd.mul_add_e_f32s(half, erf(simd, simd.mul_f32s(x, simd.splat_f32s(FRAC_1_SQRT_2))), half)
}

/// Turns the first `size` numbers into `e` to the power of each less the largest, and the rest of the last register into next to nothing.
/// The sum of all.
#[inline(always)]
pub(super) fn powers<S: Simd>(simd: S, row: &mut [f32], size: usize) -> f32 {
    row[size..].fill(f32::NEG_INFINITY);
    let row = S::as_mut_simd_f32s(row).0;
    let mut most = simd.splat_f32s(f32::NEG_INFINITY);
    for part in &*row {
        most = simd.max_f32s(most, *part);
    }
    let most = simd.splat_f32s(simd.reduce_max_f32s(most));
    let mut sum = simd.splat_f32s(0.0);
    for part in row {
        *part = exp(simd, simd.sub_f32s(*part, most));
        sum = simd.add_f32s(sum, *part);
    }
    simd.reduce_sum_f32s(sum)
}

/// Adds other numbers to these.
pub(super) fn add(numbers: &mut [f32], others: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || numbers.iter_mut().zip(others).for_each(|(number, other)| *number += other),
    );
}

/// Gives each row the mean 0 and the variance 1, times `scale`, plus `shift`.
pub(super) fn normalize_rows(rows: &mut [f32], scale: &[f32], shift: &[f32], epsilon: f32) {
    let width = scale.len();
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(width) {
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
    use pulp::WithSimd;

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

    struct Each<'a>(bool, &'a mut [f32]);

    impl WithSimd for Each<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for x in self.1 {
                let given = simd.splat_f32s(*x);
                let found = if self.0 { exp(simd, given) } else { erf(simd, given) };
                *x = pulp::bytemuck::cast_slice::<_, f32>(&[found])[0];
            }
        }
    }

    fn each(exp: bool, numbers: &[f32]) -> Vec<f32> {
        let mut numbers = numbers.to_vec();
        Arch::new().dispatch(Each(exp, &mut numbers));
        numbers
    }

    #[test]
    fn functions_are_as_exact_as_they_say() {
        let numbers: Vec<f32> = (-30_000..=30_000).map(|step| step as f32 / 10_000.0).collect();
        for ((x, erf), exp) in numbers.iter().zip(each(false, &numbers)).zip(each(true, &numbers)) {
            assert!((f64::from(erf) - erf_by_series(f64::from(*x))).abs() < 3e-7, "erf({x})");
            let wanted = f64::from(*x).exp();
            assert!((f64::from(exp) - wanted).abs() < 2e-7 * wanted, "exp({x})");
        }
        let far = each(true, &[-1e30, f32::NEG_INFINITY, f32::NAN]);
        assert!(far[0] < 1e-37 && far[1] < 1e-37 && far[2].is_nan());
        for (x, erf) in [3.2_f32, 3.6, 4.0, 9.0, 1e30].into_iter().zip(each(false, &[3.2, 3.6, 4.0, 9.0, 1e30])) {
            assert!(erf > 0.999_993 && erf < 1.000_000_3, "erf({x}) is {erf}");
        }
    }

    struct Powers<'a>(&'a mut [f32], usize);

    impl WithSimd for Powers<'_> {
        type Output = f32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            powers(simd, self.0, self.1)
        }
    }

    #[test]
    fn powers_are_those_of_the_first_numbers_alone() {
        for size in [1_usize, 7, 16, 100] {
            let given: Vec<f32> = (0..size).map(|at| (at * 7 % 13) as f32).collect();
            let most = given.iter().copied().fold(0.0, f32::max);
            let mut row = given.clone();
            row.resize(size.next_multiple_of(16), 1e9);
            let whole = Arch::new().dispatch(Powers(&mut row, size));
            let wanted: Vec<f32> = given.iter().map(|number| (number - most).exp()).collect();
            assert!((whole - wanted.iter().sum::<f32>()).abs() < 1e-5 * whole);
            assert!(row.iter().zip(&wanted).all(|(power, wanted)| (power - wanted).abs() < 1e-6));
        }
    }

    #[test]
    fn rows_are_normalized_whatever_their_width() {
        for width in [1, 15, 16, 17, 40] {
            let mut rows: Vec<f32> = (0..2 * width).map(|at| (at * at % 23) as f32).collect();
            let [zero, one] = [vec![0.0; width], vec![1.0; width]];
            let added: Vec<f32> = (0..2 * width).map(|at| at as f32).collect();
            let given: Vec<f32> = rows.iter().zip(&added).map(|(a, b)| a + b).collect();
            add(&mut rows, &added);
            normalize_rows(&mut rows, &one, &zero, 1e-6);
            for (row, given) in rows.chunks(width).zip(given.chunks(width)) {
                let given: Vec<f64> = given.iter().map(|number| f64::from(*number)).collect();
                let mean = given.iter().sum::<f64>() / width as f64;
                let variance = given.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / width as f64;
                for (number, given) in row.iter().zip(&given) {
                    assert!((f64::from(*number) - (given - mean) / (variance + 1e-6).sqrt()).abs() < 1e-4);
                }
            }
        }
    }
}

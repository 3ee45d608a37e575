//! Products of rows with a matrix: nine tenths of a model's work.
//!
//! Why not a library's: those turn both sides into an order of their own for each product, and write the result out before anything else
//! can be done with it. Here a weight is brought into that order once, when the model is loaded, rows are read as they are, and what comes
//! next (a bias, a unit of activation) is done while the numbers are still in registers.
//! All that has registers in its arguments, closures too, says `inline(always)`: else it would be compiled for any processor, and called for each.
//!
//! The order, after Goto and van de Geijn (2008, "Anatomy of High-Performance Matrix Multiplication"): columns stand in panels as wide as a few
//! registers, a panel's rows one behind the other. Six rows by one panel are summed up at a time, all sums in registers.

use pulp::{Arch, Simd, WithSimd};

use super::kernels;
use super::lines::Lines;

/// How many rows are multiplied at a time. With four registers of columns that makes 24 sums, which leaves 8 of 32 registers for
/// factors; with two, 12 of 16.
pub(super) const ROWS: usize = 6;

/// A matrix of `depth` rows, in panels. Rows of `depth` numbers can be multiplied with it.
#[derive(Default)]
pub(super) struct Matrix {
    lines: Lines,
    depth: usize,
    /// How many columns there are, filled up to whole registers.
    columns: usize,
    /// How many columns a panel has; the last may have fewer registers.
    panel: usize,
}

/// What is multiplied: `count` rows that begin `stride` numbers apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) stride: usize,
    pub(super) count: usize,
}

impl Matrix {
    /// Makes it a matrix of this shape. What is in it is not said.
    #[inline(always)]
    pub(super) fn shape<S: Simd>(&mut self, depth: usize, columns: usize) {
        self.depth = depth;
        self.columns = columns.next_multiple_of(S::F32_LANES);
        self.panel = S::F32_LANES * if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        self.lines.resize(self.depth * self.columns);
    }

    /// How many columns there are, filled up to whole registers.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// A column's numbers.
    #[inline(always)]
    pub(super) fn column(&mut self, column: usize) -> impl Iterator<Item = &mut f32> {
        let first = column - column % self.panel;
        let width = self.panel.min(self.columns - first);
        self.lines.numbers_mut()[first * self.depth + column - first..].iter_mut().step_by(width).take(self.depth)
    }

    /// Writes a row.
    #[inline(always)]
    pub(super) fn write_row(&mut self, row: usize, numbers: &[f32]) {
        for (index, part) in numbers.chunks(self.panel).enumerate() {
            let first = index * self.panel;
            let width = self.panel.min(self.columns - first);
            self.lines.numbers_mut()[first * self.depth + row * width..][..part.len()].copy_from_slice(part);
        }
    }

    /// Multiplies, and gives `put` each row's sums, a register at a time: the row, the first column, the sums.
    /// Those of columns that fill up the last register are not said.
    #[inline(always)]
    pub(super) fn multiply<S: Simd>(&self, simd: S, rows: Rows<'_>, mut put: impl FnMut(usize, usize, S::f32s)) {
        for first in (0..self.columns).step_by(self.panel) {
            let width = self.panel.min(self.columns - first);
            let panel = S::as_simd_f32s(&self.lines.numbers()[first * self.depth..][..width * self.depth]).0;
            for row in (0..rows.count).step_by(ROWS) {
                let place = (row, first);
                match width / S::F32_LANES {
                    1 => tile::<S, _, 1>(simd, rows, place, panel, &mut put),
                    2 => tile::<S, _, 2>(simd, rows, place, panel, &mut put),
                    3 => tile::<S, _, 3>(simd, rows, place, panel, &mut put),
                    _ => tile::<S, _, 4>(simd, rows, place, panel, &mut put),
                }
            }
        }
    }
}

/// Six rows from a row on by one panel of so many registers, which begins at a column.
#[inline(always)]
fn tile<S: Simd, P: FnMut(usize, usize, S::f32s), const REGISTERS: usize>(
    simd: S,
    rows: Rows<'_>,
    (first, column): (usize, usize),
    panel: &[S::f32s],
    put: &mut P,
) {
    let panel = panel.as_chunks::<REGISTERS>().0;
    // Rows behind the last repeat it; nobody gets their sums.
    let factors: [&[f32]; ROWS] = std::array::from_fn(
        #[inline(always)]
        |row| &rows.numbers[(first + row).min(rows.count - 1) * rows.stride..][..panel.len()],
    );
    let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
    for (depth, registers) in panel.iter().enumerate() {
        for (sums, factors) in sums.iter_mut().zip(factors) {
            let factor = simd.splat_f32s(factors[depth]);
            for (sum, register) in sums.iter_mut().zip(registers) {
                *sum = simd.mul_add_e_f32s(factor, *register, *sum);
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        if first + row < rows.count {
            for (register, sum) in sums.into_iter().enumerate() {
                put(first + row, column + register * S::F32_LANES, sum);
            }
        }
    }
}

/// Writes a register to the beginning of `to`, as far as there is room.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, to: &mut [f32], register: S::f32s) {
    match S::as_mut_simd_f32s(to) {
        ([first, ..], _) => *first = register,
        ([], rest) => simd.partial_store_f32s(rest, register),
    }
}

/// What is done with a dense layer's sums.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// The Gaussian error linear unit.
    Gelu,
}

/// A dense layer: weights and a bias.
pub(super) struct Dense {
    matrix: Matrix,
    /// As many as there are columns, with those that fill up.
    bias: Lines,
    width: usize,
}

impl Dense {
    /// Of `weights`, one row for each number that comes out, as PyTorch keeps them.
    pub(super) fn new(weights: &[f32], bias: &[f32]) -> Self {
        Arch::new().dispatch(Pack { weights, bias })
    }

    /// The layer of `rows`, after `then`.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(&self, simd: S, rows: Rows<'_>, out: &mut [f32], then: Then) {
        let bias = S::as_simd_f32s(self.bias.numbers()).0;
        self.matrix.multiply(
            simd,
            rows,
            #[inline(always)]
            |row, column, sum| {
                let to = &mut out[row * self.width..][..self.width][column..];
                let sum = simd.add_f32s(sum, bias[column / S::F32_LANES]);
                store(simd, to, if then == Then::Gelu { kernels::gelu(simd, sum) } else { sum });
            },
        );
    }
}

struct Pack<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
}

impl WithSimd for Pack<'_> {
    type Output = Dense;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Dense {
        let width = self.bias.len();
        let depth = self.weights.len() / width;
        let mut matrix = Matrix::default();
        matrix.shape::<S>(depth, width);
        for (index, weights) in self.weights.chunks_exact(depth).enumerate() {
            matrix.column(index).zip(weights).for_each(|(to, weight)| *to = *weight);
        }
        let mut bias = Lines::default();
        bias.resize(matrix.columns);
        bias.numbers_mut()[..width].copy_from_slice(self.bias);
        Dense { matrix, bias, width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Apply<'a>(&'a Dense, Rows<'a>, &'a mut [f32]);

    impl WithSimd for Apply<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.apply(simd, self.1, self.2, Then::Nothing);
        }
    }

    #[test]
    fn a_dense_layer_is_the_sum_of_products_plus_the_bias_in_all_shapes() {
        let mut random = fastrand::Rng::with_seed(3);
        for (count, depth, width) in [(1, 1, 1), (6, 5, 16), (7, 33, 40), (13, 4, 64), (20, 70, 130), (5, 8, 100)] {
            let mut some = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32() * 2.0 - 1.0).collect() };
            let stride = depth + 3;
            let (rows, weights, bias) = (some(count * stride), some(width * depth), some(width));
            let mut out = vec![f32::NAN; count * width];
            let dense = Dense::new(&weights, &bias);
            Arch::new().dispatch(Apply(&dense, Rows { numbers: &rows, stride, count }, &mut out));
            for (at, number) in out.iter().enumerate() {
                let (row, column) = (&rows[at / width * stride..][..depth], at % width);
                let products = row.iter().zip(&weights[column * depth..]).map(|(a, b)| f64::from(*a) * f64::from(*b));
                let wanted = products.sum::<f64>() + f64::from(bias[column]);
                assert!(
                    (f64::from(*number) - wanted).abs() < 1e-5,
                    "{count} {depth} {width}: {number} is not {wanted}"
                );
            }
        }
    }
}

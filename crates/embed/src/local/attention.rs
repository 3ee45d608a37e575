//! Attention of each text's tokens to each other (Vaswani et al. 2017, arXiv:1706.03762), for many texts of different lengths in one matrix.
//!
//! A text is small (256 tokens, 12 heads of 32 numbers), so its keys and values stay in the nearest caches, and the table of all
//! weights is never written out: a few tokens at a time look at all the others. Nothing is padded but to the
//! width of a register.

use pulp::Simd;

use super::kernels;
use super::product::{Matrix, ROWS, Rows, store};

/// How many tokens look at the others at a time: what they see stays in the first cache.
const LOOKING: usize = 4 * ROWS;

/// One head of one text. Its memory is used again for the next.
#[derive(Default)]
pub(super) struct Head {
    /// A column for each token.
    keys: Matrix,
    /// A row for each token.
    values: Matrix,
    /// What those that look see: a row for each.
    seen: Vec<f32>,
}

/// How a text's tokens stand in rows of query, key and value, each `width` numbers.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) width: usize,
    pub(super) heads: usize,
}

impl Head {
    /// Writes what each token of a text takes from the others to `out`. Queries have their scale.
    #[inline(always)]
    pub(super) fn attend<S: Simd>(&mut self, simd: S, projected: &[f32], shape: Shape, out: &mut [f32]) {
        let dimension = shape.width / shape.heads;
        for at in (0..shape.width).step_by(dimension) {
            self.load::<S>(projected, shape.width, at..at + dimension);
            self.look(simd, projected, shape.width, at..at + dimension, out);
        }
    }

    /// Takes the keys and values of `columns` out of a text's rows.
    #[inline(always)]
    fn load<S: Simd>(&mut self, projected: &[f32], width: usize, columns: std::ops::Range<usize>) {
        let size = projected.len() / (3 * width);
        self.keys.shape::<S>(columns.len(), size);
        self.values.shape::<S>(size, columns.len());
        for (token, row) in projected.chunks_exact(3 * width).enumerate() {
            let key = &row[width..2 * width][columns.clone()];
            self.keys.column(token).zip(key).for_each(|(to, number)| *to = *number);
            self.values.write_row(token, &row[2 * width..][columns.clone()]);
        }
    }

    #[inline(always)]
    fn look<S: Simd>(
        &mut self,
        simd: S,
        projected: &[f32],
        width: usize,
        columns: std::ops::Range<usize>,
        out: &mut [f32],
    ) {
        let size = projected.len() / (3 * width);
        let stride = self.keys.columns();
        self.seen.resize(LOOKING * stride, 0.0);
        let blocks = projected.chunks(LOOKING * 3 * width).zip(out.chunks_mut(LOOKING * width));
        for (queries, out) in blocks {
            let count = queries.len() / (3 * width);
            let rows = Rows { numbers: &queries[columns.start..], stride: 3 * width, count };
            self.keys.multiply(
                simd,
                rows,
                #[inline(always)]
                |row, token, sum| store(simd, &mut self.seen[row * stride + token..], sum),
            );
            let mut factors = [0.0; LOOKING];
            for (row, factor) in self.seen.chunks_exact_mut(stride).zip(&mut factors[..count]) {
                *factor = 1.0 / kernels::powers(simd, row, size);
            }
            let rows = Rows { numbers: &self.seen, stride, count };
            self.values.multiply(
                simd,
                rows,
                #[inline(always)]
                |row, column, sum| {
                    let to = &mut out[row * width..][columns.clone()][column..];
                    store(simd, to, simd.mul_f32s(sum, simd.splat_f32s(factors[row])));
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    /// Attention as it is written in the paper, but for the scale, in 64 bits.
    fn plain(shape: Shape, rows: &[f32]) -> Vec<f64> {
        let Shape { width, heads } = shape;
        let (size, dimension) = (rows.len() / (3 * width), width / heads);
        let at = |token: usize, part: usize, index: usize| f64::from(rows[token * 3 * width + part * width + index]);
        let mut out = vec![0.0; size * width];
        for (token, head) in (0..size).flat_map(|token| (0..heads).map(move |head| (token, head))) {
            let columns = head * dimension..(head + 1) * dimension;
            let seen: Vec<f64> = (0..size)
                .map(|other| columns.clone().map(|column| at(token, 0, column) * at(other, 1, column)).sum::<f64>())
                .map(f64::exp)
                .collect();
            let whole: f64 = seen.iter().sum();
            for column in columns {
                let taken = seen.iter().enumerate().map(|(other, share)| share * at(other, 2, column));
                out[token * width + column] = taken.sum::<f64>() / whole;
            }
        }
        out
    }

    struct Attend<'a>(&'a mut Head, &'a [f32], Shape, &'a mut [f32]);

    impl WithSimd for Attend<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.attend(simd, self.1, self.2, self.3);
        }
    }

    #[test]
    fn texts_of_all_sizes_attend_to_themselves_alone() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut head = Head::default();
        for (heads, dimension) in [(1, 32), (3, 5), (2, 16), (2, 24), (1, 70)] {
            let shape = Shape { width: heads * dimension, heads };
            for size in [100, 1, 7, 8, 24, 25, 33, 2] {
                let rows: Vec<f32> = (0..size * 3 * shape.width).map(|_| random.f32() * 2.0 - 1.0).collect();
                let mut out = vec![f32::NAN; size * shape.width];
                Arch::new().dispatch(Attend(&mut head, &rows, shape, &mut out));
                for (number, wanted) in out.iter().zip(plain(shape, &rows)) {
                    assert!((f64::from(*number) - wanted).abs() < 1e-5, "{number} is not {wanted}");
                }
            }
        }
    }
}

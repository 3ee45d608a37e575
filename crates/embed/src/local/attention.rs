//! Attention of each text's tokens to each other (Vaswani et al. 2017, arXiv:1706.03762), for many texts of different lengths in one matrix.
//!
//! A text is small (256 tokens, 12 heads of 32 numbers), so its keys and values stay in the first cache, and the table of all
//! weights is never written out: eight tokens at a time look at all the others. Nothing is padded but to the
//! width of a register.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};

use super::bert::numbers;
use super::kernels::softmax;

/// How many tokens look at the others at a time: as many sums as hide the latency of a multiplication.
const ROWS: usize = 8;

/// A layer's attention.
pub(super) struct Attention {
    pub(super) heads: usize,
    /// Of query, key and value, one behind the other.
    pub(super) bias: Vec<f32>,
}

impl Attention {
    /// What each token takes from the others: `projected` has query, key and value of each token in a row, without their bias.
    pub(super) fn apply(&self, projected: &Tensor, sizes: &[usize]) -> Result<Tensor> {
        projected.apply_op1_no_bwd(&Attend { attention: self, sizes })
    }
}

struct Attend<'a> {
    attention: &'a Attention,
    sizes: &'a [usize],
}

impl CustomOp1 for Attend<'_> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let projected = numbers(storage, layout)?;
        let width = self.attention.bias.len() / 3;
        let count = projected.len() / (3 * width);
        let mut attended = vec![0.0; count * width];
        Arch::new().dispatch(Texts { attend: self, projected, attended: &mut attended, width });
        Ok((CpuStorage::F32(attended), Shape::from((count, width))))
    }
}

struct Texts<'a> {
    attend: &'a Attend<'a>,
    projected: &'a [f32],
    attended: &'a mut [f32],
    width: usize,
}

impl WithSimd for Texts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut head = Head::new(simd, self.width / self.attend.attention.heads);
        let (mut projected, mut attended) = (self.projected, self.attended);
        for size in self.attend.sizes {
            let (own, behind) = projected.split_at(size * 3 * self.width);
            let (out, out_behind) = attended.split_at_mut(size * self.width);
            for at in (0..self.width).step_by(head.dimension) {
                head.load(own, &self.attend.attention.bias, self.width, at);
                head.attend(out, self.width, at);
            }
            (projected, attended) = (behind, out_behind);
        }
    }
}

/// One head of one text. Its memory is used again for the next.
struct Head<S: Simd> {
    simd: S,
    /// How many numbers a query, key or value has.
    dimension: usize,
    /// How many registers these fill.
    registers: usize,
    /// How many tokens the text has.
    size: usize,
    /// Queries, `dimension` numbers for each token, scaled.
    queries: Vec<f32>,
    /// Keys: for each register's worth of tokens, `dimension` registers.
    keys: Vec<S::f32s>,
    /// Values: for each register's worth of numbers, one register for each token.
    values: Vec<S::f32s>,
    /// The eight queries that look at present, turned.
    looking: Vec<[f32; ROWS]>,
    /// What they see: a row for each.
    seen: Vec<f32>,
    /// The same, turned.
    shares: Vec<[f32; ROWS]>,
}

impl<S: Simd> Head<S> {
    #[inline(always)]
    fn new(simd: S, dimension: usize) -> Self {
        Self {
            simd,
            dimension,
            registers: dimension.div_ceil(S::F32_LANES),
            size: 0,
            queries: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            looking: vec![[0.0; ROWS]; dimension],
            seen: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Takes the head at column `at` out of a text's rows of query, key and value.
    #[inline(always)]
    fn load(&mut self, rows: &[f32], bias: &[f32], width: usize, at: usize) {
        self.size = rows.len() / (3 * width);
        let zero = self.simd.splat_f32s(0.0);
        self.queries.clear();
        self.keys.clear();
        self.keys.resize(self.size.div_ceil(S::F32_LANES) * self.dimension, zero);
        self.values.clear();
        self.values.resize(self.registers * self.size, zero);
        let scale = 1.0 / (self.dimension as f32).sqrt();
        let part = |from: usize| from * width + at..from * width + at + self.dimension;
        let flat_keys = flat_mut::<S>(&mut self.keys);
        let flat_values = flat_mut::<S>(&mut self.values);
        for (token, row) in rows.chunks_exact(3 * width).enumerate() {
            let with_bias =
                |from: usize| row[part(from)].iter().zip(&bias[part(from)]).map(|(number, bias)| number + bias);
            self.queries.extend(with_bias(0).map(|number| number * scale));
            let (block, lane) = (token / S::F32_LANES, token % S::F32_LANES);
            let start = block * self.dimension * S::F32_LANES + lane;
            let keys = flat_keys[start..].iter_mut().step_by(S::F32_LANES);
            keys.zip(with_bias(1)).for_each(|(to, number)| *to = number);
            for (index, number) in with_bias(2).enumerate() {
                let (register, lane) = (index / S::F32_LANES, index % S::F32_LANES);
                flat_values[(register * self.size + token) * S::F32_LANES + lane] = number;
            }
        }
    }

    /// Writes what each token takes from the others to column `at`.
    #[inline(always)]
    fn attend(&mut self, out: &mut [f32], width: usize, at: usize) {
        for first in (0..self.size).step_by(ROWS) {
            let rows = ROWS.min(self.size - first);
            self.look(first, rows);
            self.share(rows);
            self.take(&mut out[first * width..(first + rows) * width], width, at);
        }
    }

    /// The products of `rows` queries from `first` on with all keys.
    #[inline(always)]
    fn look(&mut self, first: usize, rows: usize) {
        for row in 0..ROWS {
            // Rows behind the last repeat it; nobody looks at what they see.
            let query = &self.queries[(first + row.min(rows - 1)) * self.dimension..][..self.dimension];
            self.looking.iter_mut().zip(query).for_each(|(turned, number)| turned[row] = *number);
        }
        let stride = self.keys.len() / self.dimension * S::F32_LANES;
        self.seen.resize(ROWS * stride, 0.0);
        for (block, keys) in self.keys.chunks_exact(self.dimension).enumerate() {
            let sums = products(self.simd, &self.looking, keys);
            for (row, sum) in sums.into_iter().enumerate() {
                let to = &mut self.seen[row * stride + block * S::F32_LANES..][..S::F32_LANES];
                S::as_mut_simd_f32s(to).0[0] = sum;
            }
        }
    }

    /// Turns what is seen into shares of one.
    #[inline(always)]
    fn share(&mut self, rows: usize) {
        let stride = self.keys.len() / self.dimension * S::F32_LANES;
        self.shares.resize(self.size, [0.0; ROWS]);
        for row in 0..rows {
            let seen = &mut self.seen[row * stride..][..self.size];
            softmax(seen);
            self.shares.iter_mut().zip(seen).for_each(|(turned, share)| turned[row] = *share);
        }
    }

    /// The values, each by its share.
    #[inline(always)]
    fn take(&self, out: &mut [f32], width: usize, at: usize) {
        for (register, values) in self.values.chunks_exact(self.size).enumerate() {
            let from = register * S::F32_LANES;
            let count = S::F32_LANES.min(self.dimension - from);
            let sums = products(self.simd, &self.shares, values);
            for (row, sum) in out.chunks_exact_mut(width).zip(sums) {
                row[at + from..][..count].copy_from_slice(&flat::<S>(&[sum])[..count]);
            }
        }
    }
}

/// The sums of each row's factors times the registers.
#[inline(always)]
fn products<S: Simd>(simd: S, factors: &[[f32; ROWS]], registers: &[S::f32s]) -> [S::f32s; ROWS] {
    let mut sums = [simd.splat_f32s(0.0); ROWS];
    for (factors, register) in factors.iter().zip(registers) {
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum = simd.mul_add_e_f32s(simd.splat_f32s(*factor), *register, *sum);
        }
    }
    sums
}

#[inline(always)]
fn flat<S: Simd>(registers: &[S::f32s]) -> &[f32] {
    pulp::bytemuck::cast_slice(registers)
}

#[inline(always)]
fn flat_mut<S: Simd>(registers: &mut [S::f32s]) -> &mut [f32] {
    pulp::bytemuck::cast_slice_mut(registers)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Attention as it is written in the paper, in 64 bits.
    fn plain(attention: &Attention, rows: &[f32], sizes: &[usize]) -> Vec<f64> {
        let width = attention.bias.len() / 3;
        let dimension = width / attention.heads;
        let at = |token: usize, part: usize, index: usize| {
            f64::from(rows[token * 3 * width + part * width + index] + attention.bias[part * width + index])
        };
        let mut out = vec![0.0; rows.len() / 3];
        let mut first = 0;
        for size in sizes {
            for (token, head) in
                (first..first + size).flat_map(|token| (0..attention.heads).map(move |head| (token, head)))
            {
                let columns = head * dimension..(head + 1) * dimension;
                let seen: Vec<f64> = (first..first + size)
                    .map(|other| columns.clone().map(|column| at(token, 0, column) * at(other, 1, column)).sum::<f64>())
                    .map(|product| (product / (dimension as f64).sqrt()).exp())
                    .collect();
                let whole: f64 = seen.iter().sum();
                for column in columns {
                    let taken = seen.iter().enumerate().map(|(index, share)| share * at(first + index, 2, column));
                    out[token * width + column] = taken.sum::<f64>() / whole;
                }
            }
            first += size;
        }
        out
    }

    #[test]
    fn texts_of_all_sizes_attend_to_themselves_alone() {
        for (heads, dimension) in [(1, 32), (3, 5), (2, 16), (2, 24)] {
            let width = heads * dimension;
            let sizes = [1, 7, 8, 9, 33, 2];
            let count: usize = sizes.iter().sum();
            let mut random = fastrand::Rng::with_seed(7);
            let mut some = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32() * 4.0 - 2.0).collect() };
            let attention = Attention { heads, bias: some(3 * width) };
            let rows = some(count * 3 * width);
            let projected = Tensor::from_vec(rows.clone(), (count, 3 * width), &Device::Cpu).unwrap();
            let attended = attention.apply(&projected, &sizes).unwrap().flatten_all().unwrap();
            for (number, wanted) in attended.to_vec1::<f32>().unwrap().iter().zip(plain(&attention, &rows, &sizes)) {
                assert!((f64::from(*number) - wanted).abs() < 1e-5, "{number} is not {wanted}");
            }
        }
    }
}

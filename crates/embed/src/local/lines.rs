//! Numbers that begin where a cache line begins.

/// How many numbers a cache line has, and the widest register.
const LINE: usize = 16;

/// Numbers whose first stands at the beginning of a cache line. Otherwise every widest register that is read would
/// lie across two lines, and reading it would take twice as long.
#[derive(Default)]
pub(super) struct Lines {
    all: Vec<f32>,
    from: usize,
    count: usize,
}

impl Lines {
    /// Makes room for `count` numbers. What is in them is not said.
    pub(super) fn resize(&mut self, count: usize) {
        self.count = count;
        if self.all.len() < count + LINE {
            self.all = vec![0.0; count + LINE];
            // It may say that it does not know: then reading is slower, and nothing else.
            self.from = self.all.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        }
    }

    pub(super) fn numbers(&self) -> &[f32] {
        &self.all[self.from..self.from + self.count]
    }

    pub(super) fn numbers_mut(&mut self) -> &mut [f32] {
        &mut self.all[self.from..self.from + self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_with_a_line_however_often_they_grow() {
        let mut lines = Lines::default();
        assert!(lines.numbers().is_empty());
        for count in [1, 15, 16, 1000, 3, 100_000] {
            lines.resize(count);
            lines.numbers_mut().fill(1.0);
            assert_eq!(lines.numbers().len(), count);
            assert_eq!(lines.numbers().as_ptr() as usize % 64, 0);
        }
    }
}

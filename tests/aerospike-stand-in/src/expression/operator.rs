//! The operators, by their codes.

/// An enum whose variants each have codes of their own on the wire.
macro_rules! coded {
    ($(#[$about:meta])* $name:ident { $($($code:literal)|+ => $variant:ident,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name {
            $($variant,)+
        }

        impl $name {
            fn coded(code: i64) -> Option<Self> {
                Some(match code {
                    $($($code)|+ => Self::$variant,)+
                    _ => return None,
                })
            }
        }
    };
}

coded! {
    /// Comparisons.
    Compare {
        1 => Equal,
        2 => NotEqual,
        3 => Greater,
        4 => GreaterOrEqual,
        5 => Less,
        6 => LessOrEqual,
    }
}

coded! {
    /// Operators on numbers.
    Arithmetic {
        20 => Add,
        21 => Subtract,
        22 => Multiply,
        23 => Divide,
        24 => Power,
        25 => Log,
        26 => Modulo,
        27 => Absolute,
        28 => Floor,
        29 => Ceil,
        30 => ToInt,
        31 => ToFloat,
        32 => And,
        33 => Or,
        34 => Xor,
        35 => Not,
        36 => ShiftLeft,
        37 => ShiftRight,
        38 => ShiftRightSigned,
        39 => Count,
        40 => ScanLeft,
        41 => ScanRight,
        50 => Min,
        51 => Max,
    }
}

coded! {
    /// What is known of a record beside its bins. Before 7.0 its size was two, on the device and in memory.
    Meta {
        66 => LastUpdate,
        67 => SinceUpdate,
        68 => VoidTime,
        69 => Ttl,
        70 => SetName,
        71 => KeyExists,
        72 => IsTombstone,
        65 | 73 | 74 => RecordSize,
    }
}

coded! {
    /// What is neither of those.
    Other {
        0 => Unknown,
        9 => InList,
        16 => And,
        17 => Or,
        18 => Not,
        19 => Exclusive,
        64 => DigestModulo,
        80 => Key,
        81 => Bin,
        82 => BinType,
        101 => MapKeys,
        102 => MapValues,
        123 => Cond,
        124 => Var,
        125 => Let,
        126 => Quote,
        127 => Call,
    }
}

/// What the first number of a list says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Compare(Compare),
    Arithmetic(Arithmetic),
    Meta(Meta),
    Other(Other),
}

impl Operator {
    /// `None` for what the stand-in leaves out.
    pub(super) fn of(code: i64) -> Option<Self> {
        let known = Compare::coded(code).map(Self::Compare);
        let known = known.or_else(|| Arithmetic::coded(code).map(Self::Arithmetic));
        let known = known.or_else(|| Meta::coded(code).map(Self::Meta));
        known.or_else(|| Other::coded(code).map(Self::Other))
    }
}

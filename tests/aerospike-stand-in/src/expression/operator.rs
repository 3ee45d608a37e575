//! The operators, by their codes.

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Operators on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Log,
    Modulo,
    Absolute,
    Floor,
    Ceil,
    ToInt,
    ToFloat,
    And,
    Or,
    Xor,
    Not,
    ShiftLeft,
    ShiftRight,
    ShiftRightSigned,
    Count,
    ScanLeft,
    ScanRight,
    Min,
    Max,
}

/// What is known of a record beside its bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    LastUpdate,
    SinceUpdate,
    VoidTime,
    Ttl,
    SetName,
    KeyExists,
    IsTombstone,
    RecordSize,
}

/// What the first number of a list says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Unknown,
    Compare(Compare),
    InList,
    And,
    Or,
    Not,
    Exclusive,
    Arithmetic(Arithmetic),
    DigestModulo,
    Meta(Meta),
    Key,
    Bin,
    BinType,
    MapKeys,
    MapValues,
    Cond,
    Var,
    Let,
    Quote,
    Call,
}

impl Operator {
    /// `None` for what the stand-in leaves out.
    pub(super) fn of(code: i64) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            9 => Self::InList,
            16 => Self::And,
            17 => Self::Or,
            18 => Self::Not,
            19 => Self::Exclusive,
            64 => Self::DigestModulo,
            80 => Self::Key,
            81 => Self::Bin,
            82 => Self::BinType,
            101 => Self::MapKeys,
            102 => Self::MapValues,
            123 => Self::Cond,
            124 => Self::Var,
            125 => Self::Let,
            126 => Self::Quote,
            127 => Self::Call,
            _ => return compare(code).or_else(|| arithmetic(code)).or_else(|| meta(code)),
        })
    }
}

fn compare(code: i64) -> Option<Operator> {
    Some(Operator::Compare(match code {
        1 => Compare::Equal,
        2 => Compare::NotEqual,
        3 => Compare::Greater,
        4 => Compare::GreaterOrEqual,
        5 => Compare::Less,
        6 => Compare::LessOrEqual,
        _ => return None,
    }))
}

fn arithmetic(code: i64) -> Option<Operator> {
    use Arithmetic::*;
    /// In the order of their codes, from 20.
    const FROM_20: [Arithmetic; 22] = [
        Add,
        Subtract,
        Multiply,
        Divide,
        Power,
        Log,
        Modulo,
        Absolute,
        Floor,
        Ceil,
        ToInt,
        ToFloat,
        And,
        Or,
        Xor,
        Not,
        ShiftLeft,
        ShiftRight,
        ShiftRightSigned,
        Count,
        ScanLeft,
        ScanRight,
    ];
    let operator = match code {
        50 => Min,
        51 => Max,
        _ => *FROM_20.get(usize::try_from(code - 20).ok()?)?,
    };
    Some(Operator::Arithmetic(operator))
}

fn meta(code: i64) -> Option<Operator> {
    Some(Operator::Meta(match code {
        66 => Meta::LastUpdate,
        67 => Meta::SinceUpdate,
        68 => Meta::VoidTime,
        69 => Meta::Ttl,
        70 => Meta::SetName,
        71 => Meta::KeyExists,
        72 => Meta::IsTombstone,
        // The two before 7.0 ask for the size on the device and in memory.
        65 | 73 | 74 => Meta::RecordSize,
        _ => return None,
    }))
}

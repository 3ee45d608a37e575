//! Operators on numbers. What has no result (a division by zero, numbers that are no numbers) is unknown.

use super::compile::Type;
use super::operator::Arithmetic;
use crate::code::Code;
use crate::value::Value;

/// What the operator gives of those types.
pub(super) fn gives(operator: Arithmetic, types: &[Type]) -> Result<Type, Code> {
    use Arithmetic::*;
    let first = *types.first().ok_or(Code::PARAMETER)?;
    let same = types.iter().all(|kind| *kind == first) && matches!(first, Type::Int | Type::Float);
    let exactly = match operator {
        Absolute | Floor | Ceil | ToInt | ToFloat | Not | Count => Some(1),
        Power | Log | Modulo | ShiftLeft | ShiftRight | ShiftRightSigned => Some(2),
        ScanLeft | ScanRight => {
            return if types == [Type::Int, Type::Bool] { Ok(Type::Int) } else { Err(Code::PARAMETER) };
        }
        _ => None,
    };
    let takes = match operator {
        Power | Log | Floor | Ceil => Some(Type::Float),
        Modulo | And | Or | Xor | Not | ShiftLeft | ShiftRight | ShiftRightSigned | Count => Some(Type::Int),
        _ => None,
    };
    if !same || exactly.is_some_and(|len| len != types.len()) || takes.is_some_and(|kind| kind != first) {
        return Err(Code::PARAMETER);
    }
    Ok(match operator {
        ToInt => Type::Int,
        ToFloat => Type::Float,
        _ => first,
    })
}

/// The result; the types fit, by [`gives`].
pub(super) fn apply(operator: Arithmetic, args: &[Value]) -> Option<Value> {
    match args.first()? {
        Value::Int(_) => {
            let ints: Vec<i64> = args.iter().filter_map(Value::as_int).collect();
            of_ints(operator, &ints, args)
        }
        Value::Float(_) => {
            let floats: Vec<f64> = args.iter().filter_map(as_float).collect();
            of_floats(operator, &floats)
        }
        _ => None,
    }
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn of_ints(operator: Arithmetic, ints: &[i64], args: &[Value]) -> Option<Value> {
    use Arithmetic::*;
    let (first, rest) = ints.split_first()?;
    let second = || rest.first().copied();
    let shift = || second().and_then(|by| u32::try_from(by).ok()).filter(|by| *by < 64);
    let int = match operator {
        Add => rest.iter().fold(*first, |sum, int| sum.wrapping_add(*int)),
        Subtract if rest.is_empty() => first.wrapping_neg(),
        Subtract => rest.iter().fold(*first, |sum, int| sum.wrapping_sub(*int)),
        Multiply => rest.iter().fold(*first, |product, int| product.wrapping_mul(*int)),
        Divide => rest.iter().try_fold(*first, |quotient, int| quotient.checked_div(*int))?,
        Modulo => first.checked_rem(second()?)?,
        Absolute => first.wrapping_abs(),
        ToInt => *first,
        ToFloat => return Some(Value::Float(*first as f64)),
        And => rest.iter().fold(*first, |all, int| all & int),
        Or => rest.iter().fold(*first, |all, int| all | int),
        Xor => rest.iter().fold(*first, |all, int| all ^ int),
        Not => !first,
        ShiftLeft => first.wrapping_shl(shift()?),
        ShiftRight => ((*first as u64) >> shift()?) as i64,
        ShiftRightSigned => first >> shift()?,
        Count => i64::from(first.count_ones()),
        ScanLeft | ScanRight => scan(operator, *first, args.get(1)?)?,
        Min => *ints.iter().min()?,
        Max => *ints.iter().max()?,
        Power | Log | Floor | Ceil => return None,
    };
    Some(Value::Int(int))
}

/// The place of the first bit that is set (or is not), from the left or from the right; -1: none.
fn scan(operator: Arithmetic, int: i64, wanted: &Value) -> Option<i64> {
    let Value::Bool(wanted) = wanted else { return None };
    let bits = if *wanted { int } else { !int };
    Some(match (bits, operator) {
        (0, _) => -1,
        (_, Arithmetic::ScanLeft) => i64::from(bits.leading_zeros()),
        _ => 63 - i64::from(bits.trailing_zeros()),
    })
}

fn of_floats(operator: Arithmetic, floats: &[f64]) -> Option<Value> {
    use Arithmetic::*;
    let (first, rest) = floats.split_first()?;
    let float = match operator {
        Add => floats.iter().sum(),
        Subtract if rest.is_empty() => -first,
        Subtract => rest.iter().fold(*first, |sum, float| sum - float),
        Multiply => floats.iter().product(),
        Divide => rest.iter().fold(*first, |quotient, float| quotient / float),
        Power => first.powf(*rest.first()?),
        Log => first.ln() / rest.first()?.ln(),
        Absolute => first.abs(),
        Floor => first.floor(),
        Ceil => first.ceil(),
        ToInt => return Some(Value::Int(*first as i64)),
        ToFloat => *first,
        Min => floats.iter().copied().reduce(f64::min)?,
        Max => floats.iter().copied().reduce(f64::max)?,
        _ => return None,
    };
    Some(Value::Float(float))
}

//! From MessagePack to a tree whose types fit.

use bytes::Bytes;

use super::arithmetic;
use super::operator::{Arithmetic, Compare, Meta, Operator, Other};
use crate::code::Code;
use crate::value::{Kind, Reader, Value};

/// How deep an expression may nest.
const DEPTH_MAX: usize = 64;

/// Types, numbered as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Nil = 0,
    Bool = 1,
    Int = 2,
    String = 3,
    List = 4,
    Map = 5,
    Blob = 6,
    Float = 7,
    Geo = 8,
    Hll = 9,
}

impl Type {
    pub(super) fn of(code: i64) -> Result<Self, Code> {
        const ALL: [Type; 10] = [
            Type::Nil,
            Type::Bool,
            Type::Int,
            Type::String,
            Type::List,
            Type::Map,
            Type::Blob,
            Type::Float,
            Type::Geo,
            Type::Hll,
        ];
        usize::try_from(code).ok().and_then(|code| ALL.get(code).copied()).ok_or(Code::PARAMETER)
    }

    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Float(_) => Self::Float,
            Value::String(_) => Self::String,
            Value::Blob(_) => Self::Blob,
            Value::List(_) => Self::List,
            Value::Map(_) => Self::Map,
            Value::Opaque(18, _) => Self::Hll,
            Value::Opaque(..) => Self::Geo,
            Value::Nil | Value::Infinity | Value::Wildcard => Self::Nil,
        }
    }
}

/// An expression.
#[derive(Debug)]
pub(super) enum Expression {
    Unknown,
    Literal(Value),
    Compare(Compare, Box<[Expression; 2]>),
    InList(Box<[Expression; 2]>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Exclusive(Vec<Expression>),
    Arithmetic(Arithmetic, Vec<Expression>),
    DigestModulo(i64),
    Meta(Meta),
    Key(Type),
    Bin(Bytes, Type),
    BinType(Bytes),
    MapKeys(Box<Expression>),
    MapValues(Box<Expression>),
    /// Conditions with what they give, and what is given else.
    Cond(Vec<(Expression, Expression)>, Box<Expression>),
    /// A variable, by its place among those that are defined where it stands.
    Var(usize),
    Let(Vec<Expression>, Box<Expression>),
    Call(Call),
}

/// A map's operation.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) gives: Type,
    /// It gives the changed map, not the result.
    pub(super) is_modify: bool,
    pub(super) code: i64,
    pub(super) args: Vec<Expression>,
    pub(super) on: Box<Expression>,
}

/// Takes an expression apart, and says what it gives.
pub(super) fn compile(data: Bytes) -> Result<(Expression, Type), Code> {
    let mut compiler = Compiler { reader: Reader::new(data), variables: Vec::new() };
    let compiled = compiler.next(0)?;
    if compiler.reader.is_at_end() { Ok(compiled) } else { Err(Code::PARAMETER) }
}

type Compiled = Result<(Expression, Type), Code>;

struct Compiler {
    reader: Reader,
    variables: Vec<(Bytes, Type)>,
}

impl Compiler {
    fn next(&mut self, depth: usize) -> Compiled {
        if depth > DEPTH_MAX {
            return Err(Code::PARAMETER);
        }
        if self.reader.peek() != Kind::List {
            let value = self.reader.value()?;
            let kind = Type::of_value(&value);
            return Ok((Expression::Literal(value), kind));
        }
        let len = self.reader.list_len()?.checked_sub(1).ok_or(Code::PARAMETER)?;
        let operator = Operator::of(self.reader.int()?).ok_or(Code::UNSUPPORTED)?;
        self.operator(operator, len, depth + 1)
    }

    fn operator(&mut self, operator: Operator, len: usize, depth: usize) -> Compiled {
        match operator {
            Operator::Other(Other::Unknown) => Ok((Expression::Unknown, Type::Bool)),
            Operator::Compare(compare) => self.compare(compare, len, depth),
            Operator::Other(Other::InList) => self.in_list(len, depth),
            Operator::Other(Other::And) => Ok((Expression::And(self.bools(len, 2, depth)?), Type::Bool)),
            Operator::Other(Other::Or) => Ok((Expression::Or(self.bools(len, 2, depth)?), Type::Bool)),
            Operator::Other(Other::Exclusive) => Ok((Expression::Exclusive(self.bools(len, 2, depth)?), Type::Bool)),
            Operator::Other(Other::Not) => Ok((Expression::Not(Box::new(self.typed(Type::Bool, depth)?)), Type::Bool)),
            Operator::Arithmetic(arithmetic) => self.arithmetic(arithmetic, len, depth),
            Operator::Other(Other::Cond) => self.cond(len, depth),
            Operator::Other(Other::Let) => self.bindings(len, depth),
            Operator::Other(Other::Call) => self.call(len, depth),
            Operator::Other(Other::MapKeys) => {
                Ok((Expression::MapKeys(Box::new(self.typed(Type::Map, depth)?)), Type::List))
            }
            Operator::Other(Other::MapValues) => {
                Ok((Expression::MapValues(Box::new(self.typed(Type::Map, depth)?)), Type::List))
            }
            _ => self.leaf(operator),
        }
    }

    /// What has no expression inside.
    fn leaf(&mut self, operator: Operator) -> Compiled {
        Ok(match operator {
            Operator::Other(Other::DigestModulo) => {
                let modulo = self.reader.int()?;
                let fits = if modulo == 0 { Err(Code::PARAMETER) } else { Ok(modulo) };
                (Expression::DigestModulo(fits?), Type::Int)
            }
            Operator::Meta(meta) => (Expression::Meta(meta), meta.gives()),
            Operator::Other(Other::Key) => {
                let kind = Type::of(self.reader.int()?)?;
                (Expression::Key(kind), kind)
            }
            Operator::Other(Other::Bin) => {
                let kind = Type::of(self.reader.int()?)?;
                (Expression::Bin(self.reader.raw()?, kind), kind)
            }
            Operator::Other(Other::BinType) => (Expression::BinType(self.reader.raw()?), Type::Int),
            Operator::Other(Other::Var) => self.variable()?,
            Operator::Other(Other::Quote) if self.reader.peek() == Kind::List => {
                (Expression::Literal(self.reader.value()?), Type::List)
            }
            _ => return Err(Code::PARAMETER),
        })
    }

    fn variable(&mut self) -> Compiled {
        let name = self.reader.raw()?;
        // The innermost of a name wins; the server has no two of one name.
        let place = self.variables.iter().rposition(|(other, _)| *other == name).ok_or(Code::PARAMETER)?;
        Ok((Expression::Var(place), self.variables[place].1))
    }

    fn typed(&mut self, wanted: Type, depth: usize) -> Result<Expression, Code> {
        let (expression, kind) = self.next(depth)?;
        if kind == wanted { Ok(expression) } else { Err(Code::PARAMETER) }
    }

    fn bools(&mut self, len: usize, at_least: usize, depth: usize) -> Result<Vec<Expression>, Code> {
        if len < at_least {
            return Err(Code::PARAMETER);
        }
        (0..len).map(|_| self.typed(Type::Bool, depth)).collect()
    }

    fn compare(&mut self, compare: Compare, len: usize, depth: usize) -> Compiled {
        let ((left, left_type), (right, right_type)) = (self.next(depth)?, self.next(depth)?);
        let comparable = !matches!(left_type, Type::Geo | Type::Hll);
        if len != 2 || left_type != right_type || !comparable {
            return Err(Code::PARAMETER);
        }
        Ok((Expression::Compare(compare, Box::new([left, right])), Type::Bool))
    }

    fn in_list(&mut self, len: usize, depth: usize) -> Compiled {
        let (value, _) = self.next(depth)?;
        let list = self.typed(Type::List, depth)?;
        if len != 2 {
            return Err(Code::PARAMETER);
        }
        Ok((Expression::InList(Box::new([value, list])), Type::Bool))
    }

    fn arithmetic(&mut self, operator: Arithmetic, len: usize, depth: usize) -> Compiled {
        let args = (0..len).map(|_| self.next(depth)).collect::<Result<Vec<_>, _>>()?;
        let types: Vec<Type> = args.iter().map(|(_, kind)| *kind).collect();
        let gives = arithmetic::gives(operator, &types)?;
        Ok((Expression::Arithmetic(operator, args.into_iter().map(|(arg, _)| arg).collect()), gives))
    }

    fn cond(&mut self, len: usize, depth: usize) -> Compiled {
        if len < 3 || len.is_multiple_of(2) {
            return Err(Code::PARAMETER);
        }
        let mut gives = None;
        let mut cases = Vec::new();
        for _ in 0..len / 2 {
            let condition = self.typed(Type::Bool, depth)?;
            cases.push((condition, self.branch(&mut gives, depth)?));
        }
        let other = self.branch(&mut gives, depth)?;
        Ok((Expression::Cond(cases, Box::new(other)), gives.unwrap_or(Type::Bool)))
    }

    /// Branches give the same type; the unknown goes with any.
    fn branch(&mut self, gives: &mut Option<Type>, depth: usize) -> Result<Expression, Code> {
        let (expression, kind) = self.next(depth)?;
        if matches!(expression, Expression::Unknown) {
            return Ok(expression);
        }
        if *gives.get_or_insert(kind) == kind { Ok(expression) } else { Err(Code::PARAMETER) }
    }

    fn bindings(&mut self, len: usize, depth: usize) -> Compiled {
        if len < 3 || len.is_multiple_of(2) {
            return Err(Code::PARAMETER);
        }
        let outer = self.variables.len();
        let mut values = Vec::new();
        for _ in 0..len / 2 {
            let name = self.reader.raw()?;
            if !is_name(&name) || self.variables.iter().any(|(other, _)| *other == name) {
                return Err(Code::PARAMETER);
            }
            let (value, kind) = self.next(depth)?;
            values.push(value);
            self.variables.push((name, kind));
        }
        let (scope, gives) = self.next(depth)?;
        self.variables.truncate(outer);
        Ok((Expression::Let(values, Box::new(scope)), gives))
    }

    fn call(&mut self, len: usize, depth: usize) -> Compiled {
        /// Set where the call changes what it is on.
        const MODIFY: i64 = 0x40;
        let (gives, system) = (Type::of(self.reader.int()?)?, self.reader.int()?);
        let args = self.reader.list_len()?;
        if len != 4 || args == 0 {
            return Err(Code::PARAMETER);
        }
        if system & !MODIFY != 0 {
            return Err(Code::UNSUPPORTED);
        }
        let code = self.reader.int()?;
        let args = (1..args).map(|_| self.next(depth).map(|(arg, _)| arg)).collect::<Result<_, _>>()?;
        let (on, kind) = self.next(depth)?;
        if !matches!(kind, Type::Map | Type::List | Type::Nil) {
            return Err(Code::PARAMETER);
        }
        Ok((Expression::Call(Call { gives, is_modify: system & MODIFY != 0, code, args, on: Box::new(on) }), gives))
    }
}

fn is_name(name: &[u8]) -> bool {
    let starts = name.first().is_some_and(|first| *first == b'_' || first.is_ascii_alphabetic());
    starts && name.iter().all(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())
}

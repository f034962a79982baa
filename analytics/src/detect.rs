//! Sigma conditions as DataFusion expressions.
//!
//! Two differences from SQL are evened out here: a missing field is no match and so its negation is one (every test is made
//! two-valued), and text compares without regard to case.
use arrow::datatypes::DataType;
use datafusion::{
    common::ScalarValue,
    functions::expr_fn::lower,
    logical_expr::{BinaryExpr, Expr as Df, Like, Operator, cast, lit},
};
use lidr_rules::{Expr, Literal, Op, Test};
use lidr_schema::{Cidr, Column, Ip, TableDef};

/// Most levels of a condition.
const MOST_DEPTH: usize = 64;

/// The condition over the columns of that table.
pub(crate) fn predicate(table: &TableDef, condition: &Expr) -> Result<Df, String> {
    build(table, condition, 0)
}

fn build(table: &TableDef, condition: &Expr, depth: usize) -> Result<Df, String> {
    if depth > MOST_DEPTH {
        return Err(format!("the condition is more than {MOST_DEPTH} levels deep"));
    }
    let all = |parts: &[Expr]| parts.iter().map(|p| build(table, p, depth + 1)).collect::<Result<Vec<_>, _>>();
    Ok(match condition {
        Expr::And(parts) => fold(all(parts)?, true),
        Expr::Or(parts) => fold(all(parts)?, false),
        Expr::Not(part) => Df::Not(Box::new(build(table, part, depth + 1)?)),
        Expr::Test(test) => one(table, test)?,
    })
}

/// Joined in halves, so that a thousand values are ten levels deep and not a thousand.
fn fold(mut parts: Vec<Df>, and: bool) -> Df {
    while parts.len() > 1 {
        let mut halves = parts.into_iter();
        let mut next = Vec::new();
        while let Some(left) = halves.next() {
            next.push(match halves.next() {
                Some(right) if and => left.and(right),
                Some(right) => left.or(right),
                None => left,
            });
        }
        parts = next;
    }
    parts.pop().unwrap_or_else(|| lit(and))
}

fn one(table: &TableDef, test: &Test) -> Result<Df, String> {
    let column =
        table.column(&test.column).ok_or_else(|| format!("table `{}` has no column `{}`", table.name, test.column))?;
    let name = datafusion::common::Column::new_unqualified(&test.column);
    let field = Df::Column(name);
    match test.op {
        Op::Exists => return Ok(field.is_not_null()),
        Op::Missing => return Ok(field.is_null()),
        _ => {}
    }
    let each = test.values.iter().map(|v| compare(column, field.clone(), test.op, v).map(Df::is_true));
    Ok(fold(each.collect::<Result<Vec<_>, _>>()?, test.all))
}

fn compare(column: &Column, field: Df, op: Op, value: &Literal) -> Result<Df, String> {
    let misfit = || format!("column `{}`: {value:?} does not fit", column.name);
    let binary = |left: Df, op, right: Df| Df::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
    let text = || cast(field.clone(), DataType::Utf8);
    Ok(match (&column.data_type, op, value) {
        (DataType::FixedSizeBinary(_), _, Literal::Cidr(range)) => within(field, range),
        (DataType::FixedSizeBinary(_), _, Literal::Text(text)) => within(field, &text.parse().map_err(|_| misfit())?),
        (DataType::Dictionary(..) | DataType::Utf8, Op::Equal, Literal::Text(value)) => {
            lower(text()).eq(lit(value.to_lowercase()))
        }
        (DataType::Dictionary(..) | DataType::Utf8, Op::Equal, Literal::Int(value)) => {
            text().eq(lit(value.to_string()))
        }
        (DataType::Dictionary(..) | DataType::Utf8, Op::Like, Literal::Text(value)) => {
            let pattern = Box::new(lit(value.to_lowercase()));
            Df::Like(Like::new(false, Box::new(lower(text())), pattern, Some('\\'), false))
        }
        (DataType::Dictionary(..) | DataType::Utf8, Op::Regex, Literal::Text(value)) => {
            binary(text(), Operator::RegexMatch, lit(value.clone()))
        }
        (DataType::Boolean, Op::Equal, Literal::Bool(value)) => field.eq(lit(*value)),
        (kind, op, Literal::Int(value)) if kind.is_integer() => {
            binary(field, order(op).ok_or_else(misfit)?, lit(*value))
        }
        (kind, op, Literal::Text(value)) if kind.is_integer() => {
            let value: i64 = value.parse().map_err(|_| misfit())?;
            binary(field, order(op).ok_or_else(misfit)?, lit(value))
        }
        _ => return Err(misfit()),
    })
}

const fn order(op: Op) -> Option<Operator> {
    Some(match op {
        Op::Equal => Operator::Eq,
        Op::Lt => Operator::Lt,
        Op::Lte => Operator::LtEq,
        Op::Gt => Operator::Gt,
        Op::Gte => Operator::GtEq,
        _ => return None,
    })
}

fn within(field: Df, range: &Cidr) -> Df {
    let edge = |ip: Ip| Df::Literal(ScalarValue::FixedSizeBinary(16, Some(ip.octets().to_vec())), None);
    field.clone().gt_eq(edge(range.first())).and(field.lt_eq(edge(range.last())))
}

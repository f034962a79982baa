//! Rule files: loaded, linted, never executed.
//!
//! A rule is one YAML file in Sigma's vocabulary whose body is Sigma's `detection` or a SQL query. Here it becomes a [`Rule`]
//! with every default filled in, or an error that names the file, the line and the nearest right word. What plans and runs it
//! lives elsewhere; nothing here knows a query engine.
mod case;
mod fields;
mod lint;
mod load;
mod mapping;
pub mod model;
mod parse;
pub mod reports;
mod sigma;
pub mod site;
mod sql;
mod units;

pub use lidr_schema::problem::Problem;
use lidr_schema::{problem, yaml};
pub use load::{RuleSet, is_packed, load, parse_file, text};
pub use model::{Absorb, Body, Case, Entity, Expect, Expr, Literal, Op, Remember, Rule, Test, Tunable, Window};
pub use units::duration;

#[cfg(test)]
mod tests;

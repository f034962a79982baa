//! Rule files: loaded, linted, never executed.
pub mod model;
pub mod site;

pub use model::{Absorb, Body, Case, Entity, Expect, Expr, Literal, Op, Remember, Rule, Test, Tunable, Window};

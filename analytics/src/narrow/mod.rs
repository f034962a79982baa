//! Plans that ask the site only for what the rows of a window speak of.
//!
//! A register has a hundred thousand orders and a window a few hundred rows, but a plan as it is made hashes every order for every
//! join of every run. Two things are changed in a plan after it was made, and neither changes what it gives:
//!
//! - A hash join of rows with something made of site tables runs the side of the rows first and lets the other side know the keys that
//!   it met ([`join`]). The keys go down through projections, filters, unions, groups and joins as far as the column that they are
//!   compared with is the same column, to a site table, which then brings the rows of its index that hold one of them ([`index`]). Each step
//!   is allowed only where rows with other keys could not change the result: the narrowed side of an outer, semi or anti join is
//!   never the one whose rows are kept without a partner, a group is narrowed by what it is grouped by, and nothing that is cut off at a
//!   number of rows is narrowed. What comes too much does no harm, for the join compares all the same.
//! - What reads nothing but the site and is no simple scan gives the same in every run: it is run once for each copy of the site
//!   ([`kept`]). Whatever asks for the window's edges or for a subquery's value is not of that kind.
//!
//! Rows keep their order in both, so that lists and windows over them are what they were.
mod index;
mod join;
mod kept;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::{
    common::{JoinType, NullEquality, Result, tree_node::TreeNodeRecursion},
    execution::TaskContext,
    physical_expr::{PhysicalExpr, expressions::Column, scalar_subquery::ScalarSubqueryExpr},
    physical_expr_common::physical_expr::is_volatile,
    physical_plan::{
        ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions, aggregates::AggregateExec, common::collect,
        filter::FilterExec, joins::HashJoinExec, projection::ProjectionExec,
    },
};
pub(crate) use index::{Keys, Place, Store, narrowed};

use self::{join::NarrowJoinExec, kept::KeptExec};
use crate::leaf::{Asked, LeafExec};

/// Operators that hand on rows as they are.
const SAME: [&str; 6] =
    ["CooperativeExec", "CoalesceBatchesExec", "CoalescePartitionsExec", "RepartitionExec", "SortExec", "UnionExec"];
/// Operators whose result follows from their input and expressions. Window functions are not among them: DataFusion does not name the
/// expressions of their FILTER, which may ask for the window's edges.
const PURE: [&str; 12] = [
    "CooperativeExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "SortExec",
    "UnionExec",
    "FilterExec",
    "ProjectionExec",
    "AggregateExec",
    "HashJoinExec",
    "NestedLoopJoinExec",
    "CrossJoinExec",
    "EmptyExec",
];

/// The plan, asking the site for what it needs only.
pub(crate) fn narrow(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Narrowing { asks: 0 }.plan(plan, &[])
}

/// What the plan gives, partition by partition, one after the other: the order of rows above it must not depend on which of several
/// tasks came first.
async fn collected(plan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<Vec<Vec<RecordBatch>>> {
    let mut out = Vec::new();
    for partition in 0..plan.properties().output_partitioning().partition_count() {
        out.push(collect(plan.execute(partition, Arc::clone(context))?).await?);
    }
    Ok(out)
}

/// What one side of a join asks of the other.
struct Wish {
    number: usize,
    /// The other's.
    column: usize,
    /// Its own.
    key: Arc<dyn PhysicalExpr>,
}

struct Narrowing {
    /// Asks that were given a number.
    asks: usize,
}

impl Narrowing {
    /// A part of a plan of which the rows are asked for that hold certain keys.
    fn plan(&mut self, plan: Arc<dyn ExecutionPlan>, asked: &[Asked]) -> Result<Arc<dyn ExecutionPlan>> {
        if is_fixed(&plan)? && !asked.iter().any(|(_, column)| reaches(&plan, *column)) {
            let work = is_work(&plan);
            return Ok(if work { Arc::new(KeptExec::new(plan, asked.to_vec())) as _ } else { plan });
        }
        if let Some(leaf) = plan.downcast_ref::<LeafExec>() {
            return Ok(leaf.asked(asked));
        }
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            return self.join(&plan, join, asked);
        }
        let children = plan.children().into_iter().map(Arc::clone).enumerate();
        let children = children.map(|(i, child)| self.plan(child, &handed(&plan, asked, i)));
        let children = children.collect::<Result<Vec<_>>>()?;
        replaced(plan, children)
    }

    fn join(
        &mut self,
        plan: &Arc<dyn ExecutionPlan>,
        join: &HashJoinExec,
        asked: &[Asked],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let sides = [join.left(), join.right()].map(Arc::clone);
        let mut each = [handed(plan, asked, 0), handed(plan, asked, 1)];
        let (first, wishes) = self.first(join, &sides, &each)?;
        if let Some(asked) = first.and_then(|first| each.get_mut(1 - first)) {
            asked.extend(wishes.iter().map(|wish| (wish.number, wish.column)));
        }
        let children = sides.into_iter().zip(&each).map(|(side, asked)| self.plan(side, asked));
        let narrowed = replaced(Arc::clone(plan), children.collect::<Result<Vec<_>>>()?)?;
        let asks = wishes.into_iter().map(|wish| (wish.number, wish.key)).collect();
        Ok(match first {
            Some(first) => Arc::new(NarrowJoinExec::new(narrowed, first, asks)),
            None => narrowed,
        })
    }

    /// Which side runs first, if one does, and what it asks of the other.
    fn first(
        &mut self,
        join: &HashJoinExec,
        sides: &[Arc<dyn ExecutionPlan>; 2],
        each: &[Vec<Asked>; 2],
    ) -> Result<(Option<usize>, Vec<Wish>)> {
        let plain =
            !join.null_aware && join.null_equality() == NullEquality::NullEqualsNothing && join.fetch().is_none();
        let mut without = None;
        for (first, (side, asked)) in sides.iter().zip(each).enumerate() {
            let Some(other) = sides.get(1 - first).filter(|_| plain && may_be_narrowed(*join.join_type(), 1 - first))
            else {
                continue;
            };
            if is_fixed(side)? && !asked.iter().any(|(_, column)| reaches(side, *column)) {
                continue;
            }
            let fixed = is_fixed(other)?;
            let pairs = join.on().iter().map(|(left, right)| if first == 0 { (right, left) } else { (left, right) });
            let wishes = pairs.filter_map(|(theirs, own)| {
                let column = theirs.downcast_ref::<Column>()?.index();
                if !fixed && !reaches(other, column) {
                    return None;
                }
                self.asks += 1;
                Some(Wish { number: self.asks, column, key: Arc::clone(own) })
            });
            let wishes: Vec<Wish> = wishes.collect();
            if !wishes.is_empty() {
                return Ok((Some(first), wishes));
            }
            if fixed && without.is_none() {
                without = Some(first);
            }
        }
        Ok((without, Vec::new()))
    }
}

fn replaced(plan: Arc<dyn ExecutionPlan>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    if children.is_empty() {
        return Ok(plan);
    }
    plan.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// Whether rows of that side (0: left) without a partner do not show in a join's result.
const fn may_be_narrowed(join: JoinType, side: usize) -> bool {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    match side {
        0 => matches!(join, Inner | Right | RightSemi | RightAnti | RightMark | LeftSemi),
        _ => matches!(join, Inner | Left | LeftSemi | LeftAnti | LeftMark | RightSemi),
    }
}

/// What is asked of a child where that is asked of the plan.
fn handed(plan: &Arc<dyn ExecutionPlan>, asked: &[Asked], child: usize) -> Vec<Asked> {
    asked.iter().filter_map(|(number, column)| Some((*number, below(plan, *column, child)?))).collect()
}

/// The column of a child that a column of the plan is, where rows of the child with other values may be left out.
fn below(plan: &Arc<dyn ExecutionPlan>, column: usize, child: usize) -> Option<usize> {
    if plan.fetch().is_some() {
        return None;
    }
    if SAME.contains(&plan.name()) {
        return Some(column);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return filter.projection().as_ref().map_or(Some(column), |places| places.get(column).copied());
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return projection.expr().get(column)?.expr.downcast_ref::<Column>().map(Column::index);
    }
    if let Some(groups) = plan.downcast_ref::<AggregateExec>() {
        let plain = groups.group_expr().is_single() && groups.limit_options().is_none();
        let (key, _) = groups.group_expr().expr().get(column).filter(|_| plain)?;
        return key.downcast_ref::<Column>().map(Column::index);
    }
    of_join(plan.downcast_ref::<HashJoinExec>()?, column, child)
}

/// The column of a join's side that a column of the join is, where rows of the side with other values may be left out.
fn of_join(join: &HashJoinExec, column: usize, side: usize) -> Option<usize> {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    let column = match join.projection.as_ref() {
        Some(places) => places.get(column).copied()?,
        None => column,
    };
    let (left, right) = (join.left().schema().fields().len(), join.right().schema().fields().len());
    match (*join.join_type(), side) {
        (Inner | Left | LeftSemi | LeftAnti | LeftMark, 0) => Some(column).filter(|c| *c < left),
        (Inner | Right, 1) => column.checked_sub(left),
        (RightSemi | RightAnti | RightMark, 1) => Some(column).filter(|c| *c < right),
        _ => None,
    }
}

/// Whether asking for values of a column comes to a site table.
fn reaches(plan: &Arc<dyn ExecutionPlan>, column: usize) -> bool {
    if let Some(leaf) = plan.downcast_ref::<LeafExec>() {
        return leaf.is_site();
    }
    let mut children = plan.children().into_iter().enumerate();
    children.any(|(i, child)| below(plan, column, i).is_some_and(|column| reaches(child, column)))
}

/// Whether a part of a plan gives the same for a copy of the site, whatever the window.
fn is_fixed(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    if let Some(leaf) = plan.downcast_ref::<LeafExec>() {
        return Ok(leaf.is_site());
    }
    if !PURE.contains(&plan.name()) {
        return Ok(false);
    }
    let mut pure = true;
    plan.apply_expressions(&mut |expression| {
        pure &= !is_volatile(expression) && !asks_subquery(expression);
        Ok(TreeNodeRecursion::Continue)
    })?;
    for child in plan.children() {
        pure = pure && is_fixed(child)?;
    }
    Ok(pure)
}

fn asks_subquery(expression: &Arc<dyn PhysicalExpr>) -> bool {
    expression.is::<ScalarSubqueryExpr>() || expression.children().into_iter().any(asks_subquery)
}

/// Whether it is more than a scan.
fn is_work(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if plan.is::<LeafExec>() {
        return false;
    }
    let computes = |p: &ProjectionExec| p.expr().iter().any(|e| !e.expr.is::<Column>());
    let plain = match plan.downcast_ref::<ProjectionExec>() {
        Some(projection) => !computes(projection),
        None => plan.name() == "CooperativeExec",
    };
    !plain || plan.children().into_iter().any(is_work)
}

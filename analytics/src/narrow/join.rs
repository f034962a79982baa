//! A hash join that runs one side first and lets the other side know which keys it has to bring.
use std::{fmt, sync::Arc};

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::{
    common::{Result, internal_err, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
        memory::MemoryStream, stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::{collected, index::Keys};
use crate::leaf::Slots;

/// A key of the side that runs first, and the number by which the other side's tables know it.
pub(super) type Ask = (usize, Arc<dyn PhysicalExpr>);

/// The join, and which of its sides runs first.
#[derive(Debug)]
pub(super) struct NarrowJoinExec {
    join: Arc<dyn ExecutionPlan>,
    /// 0: left, 1: right.
    first: usize,
    asks: Arc<[Ask]>,
    /// The join with the rows of that side, none where it has none; made once a run, for whichever partition is asked for first.
    ready: Arc<OnceCell<Option<Arc<dyn ExecutionPlan>>>>,
}

impl NarrowJoinExec {
    pub(super) fn new(join: Arc<dyn ExecutionPlan>, first: usize, asks: Vec<Ask>) -> Self {
        Self { join, first, asks: asks.into(), ready: Arc::default() }
    }

    fn with(&self, join: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { join, first: self.first, asks: Arc::clone(&self.asks), ready: Arc::default() })
    }
}

/// Runs the side that is first, tells its keys, and gives the join of its rows with the other side.
async fn ready(
    join: Arc<dyn ExecutionPlan>,
    first: usize,
    asks: &[Ask],
    context: &Arc<TaskContext>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut sides: Vec<Arc<dyn ExecutionPlan>> = join.children().into_iter().map(Arc::clone).collect();
    let Some(side) = sides.get_mut(first) else { return internal_err!("a join has two sides") };
    let properties = Arc::clone(side.properties());
    let partitions = collected(side, context).await?;
    let rows = || partitions.iter().flatten().filter(|b| b.num_rows() > 0);
    if rows().next().is_none() {
        // Every join that is narrowed gives nothing where the side that runs first has nothing.
        return Ok(None);
    }
    if let Some(slots) = context.session_config().get_extension::<Slots>() {
        for (number, key) in asks {
            let values = rows().map(|b| key.evaluate(b)?.into_array(b.num_rows()));
            slots.ask(*number, Keys::new(values.collect::<Result<Vec<ArrayRef>>>()?));
        }
    }
    *side = Arc::new(HeldExec { partitions, properties });
    join.replace_children(sides, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep)).map(Some)
}

impl DisplayAs for NarrowJoinExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NarrowJoinExec: first={}, asks={}, ",
            ["left", "right"].get(self.first).unwrap_or(&""),
            self.asks.len()
        )?;
        self.join.fmt_as(kind, f)
    }
}

impl ExecutionPlan for NarrowJoinExec {
    fn name(&self) -> &'static str {
        "NarrowJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.join.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.with(Arc::clone(&self.join).replace_children(children, options)?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.with(Arc::clone(&self.join).reset_state()?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (join, first, asks) = (Arc::clone(&self.join), self.first, Arc::clone(&self.asks));
        let (schema, cell) = (self.schema(), Arc::clone(&self.ready));
        let empty = Arc::clone(&schema);
        let run = async move {
            match cell.get_or_try_init(|| ready(join, first, &asks, &context)).await? {
                Some(join) => join.execute(partition, Arc::clone(&context)),
                None => {
                    let none: SendableRecordBatchStream = Box::pin(MemoryStream::try_new(Vec::new(), empty, None)?);
                    Ok(none)
                }
            }
        };
        let rows = stream::once(run).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// Rows that a side has given already.
#[derive(Debug)]
struct HeldExec {
    partitions: Vec<Vec<RecordBatch>>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for HeldExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldExec")
    }
}

impl ExecutionPlan for HeldExec {
    fn name(&self) -> &'static str {
        "HeldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.partitions.get(partition).cloned().unwrap_or_default();
        Ok(Box::pin(MemoryStream::try_new(batches, self.schema(), None)?))
    }
}

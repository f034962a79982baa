//! A part of a plan that reads nothing but the site: run once for each copy of it.
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow::{array::RecordBatch, compute::concat_batches};
use datafusion::{
    common::{Result, internal_err, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::reset_plan_states,
        memory::MemoryStream, stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::{
    collected,
    index::{Place, narrowed},
};
use crate::leaf::{Asked, Slots};

/// Octets of the largest result that is kept; a larger one is made anew by every run.
const MOST_KEPT: usize = 64 << 20;

/// Numbers of all parts of all plans.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// What a part gave, partition by partition.
type Given = Arc<[RecordBatch]>;

/// The part, whose result the store of the site's copy keeps.
#[derive(Debug)]
pub(super) struct KeptExec {
    id: usize,
    part: Arc<dyn ExecutionPlan>,
    asked: Arc<[Asked]>,
    /// Of this run.
    given: Arc<OnceCell<Given>>,
}

impl KeptExec {
    pub(super) fn new(part: Arc<dyn ExecutionPlan>, asked: Vec<Asked>) -> Self {
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), part, asked: asked.into(), given: Arc::default() }
    }
}

/// Runs the part, or takes what it gave before.
async fn given(id: usize, part: Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<Given> {
    let slots = context.session_config().get_extension::<Slots>();
    if let Some(known) = slots.as_ref().and_then(|s| s.store().kept(id)) {
        return Ok(known);
    }
    let schema = part.schema();
    let partitions = collected(&reset_plan_states(part)?, context).await?;
    let batches = partitions.iter().map(|batches| Ok(concat_batches(&schema, batches)?));
    let batches = batches.collect::<Result<Given>>()?;
    let octets: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    if let Some(slots) = slots.filter(|_| octets <= MOST_KEPT) {
        slots.store().keep(id, &batches);
    }
    Ok(batches)
}

impl DisplayAs for KeptExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptExec: {}, asked={}", self.id, self.asked.len())
    }
}

impl ExecutionPlan for KeptExec {
    fn name(&self) -> &'static str {
        "KeptExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.part.properties()
    }

    /// None: the part's state is reset when it is run, which is seldom.
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

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let (part, asked) = (Arc::clone(&self.part), Arc::clone(&self.asked));
        Ok(Arc::new(Self { id: self.id, part, asked, given: Arc::default() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (id, part, asked) = (self.id, Arc::clone(&self.part), Arc::clone(&self.asked));
        let (schema, cell) = (self.schema(), Arc::clone(&self.given));
        let held = Arc::clone(&schema);
        let run = async move {
            let batches = cell.get_or_try_init(|| given(id, part, &context)).await?;
            let Some(batch) = batches.get(partition) else { return internal_err!("no partition {partition}") };
            let rows = match context.session_config().get_extension::<Slots>() {
                // What is too large to be kept has no index either.
                Some(slots) if slots.store().kept(id).is_some() => {
                    slots.rows(&Place::Kept(id, partition), batch, &asked)?
                }
                _ => None,
            };
            let out: SendableRecordBatchStream =
                Box::pin(MemoryStream::try_new(vec![narrowed(batch, rows.as_ref())?], held, None)?);
            Ok(out)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(run).try_flatten())))
    }
}

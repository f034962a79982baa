//! The leaf of every plan: a table that reads its rows from the task context.
//!
//! A plan is made once, on no rows at all; what a run sees is put into the session configuration's extension of that run. The leaf
//! has no statistics, because statistics of one window must not shape the plan of another.
use std::{collections::HashMap, fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result, project_schema, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableType},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        memory::MemoryStream,
    },
};

/// The rows that one run sees, by table; a table that is not there is empty.
#[derive(Debug, Default)]
pub(crate) struct Slots(pub(crate) HashMap<String, Vec<RecordBatch>>);

/// A table in the catalogue.
#[derive(Debug)]
pub(crate) struct Leaf {
    name: String,
    schema: SchemaRef,
}

impl Leaf {
    pub(crate) fn new(name: &str, schema: SchemaRef) -> Self {
        Self { name: name.to_owned(), schema }
    }
}

#[async_trait]
impl TableProvider for Leaf {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let projection = projection.cloned();
        Ok(Arc::new(LeafExec { name: self.name.clone(), schema, projection, properties: Arc::new(properties) }))
    }
}

/// The leaf in a physical plan.
#[derive(Debug)]
struct LeafExec {
    name: String,
    schema: SchemaRef,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for LeafExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeafExec: {}", self.name)
    }
}

impl ExecutionPlan for LeafExec {
    fn name(&self) -> &'static str {
        "LeafExec"
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let slots = context.session_config().get_extension::<Slots>();
        let held = slots.and_then(|s| s.0.get(&self.name).cloned()).unwrap_or_default();
        let batches = match &self.projection {
            None => held,
            Some(columns) => held.iter().map(|b| b.project(columns)).collect::<std::result::Result<_, _>>()?,
        };
        Ok(Box::pin(MemoryStream::try_new(batches, Arc::clone(&self.schema), None)?))
    }
}

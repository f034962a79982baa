//! The leaf of every plan: a table that reads its rows from the task context.
//!
//! A plan is made once, on no rows at all; what a run sees is put into the session configuration's extension of that run. The leaf
//! has no statistics, because statistics of one window must not shape the plan of another. A leaf that is a site table may be asked for
//! the rows that hold certain keys (`narrow`).
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{RecordBatch, UInt32Array},
    datatypes::SchemaRef,
};
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

use crate::narrow::{Keys, Place, Store, narrowed};

/// A number under which keys are told, and the column that they are compared with.
pub(crate) type Asked = (usize, usize);

/// The rows that one run sees, by table; a table that is not there is empty.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    tables: HashMap<String, Vec<RecordBatch>>,
    /// What is kept of the copy of the site that judges.
    store: Arc<Store>,
    /// Keys that sides of joins have met in this run.
    keys: Mutex<HashMap<usize, Arc<Keys>>>,
}

impl Slots {
    pub(crate) fn new(tables: HashMap<String, Vec<RecordBatch>>, store: Arc<Store>) -> Self {
        Self { tables, store, keys: Mutex::default() }
    }

    /// What is kept of the site's copy.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Tells the keys of a side under a number.
    pub(crate) fn ask(&self, number: usize, keys: Keys) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(keys));
    }

    /// Rows of something of the site that hold the keys asked for; none: all.
    pub(crate) fn rows(&self, place: &Place, batch: &RecordBatch, asked: &[Asked]) -> Result<Option<UInt32Array>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let asks: Vec<_> =
            asked.iter().filter_map(|(number, column)| Some((*column, Arc::clone(keys.get(number)?)))).collect();
        drop(keys);
        self.store.rows(place, batch, &asks)
    }
}

/// A table in the catalogue.
#[derive(Debug)]
pub(crate) struct Leaf {
    name: String,
    schema: SchemaRef,
    site: bool,
}

impl Leaf {
    pub(crate) fn new(name: &str, schema: SchemaRef) -> Self {
        Self { name: name.to_owned(), schema, site: false }
    }

    /// A site table.
    pub(crate) fn of_site(name: &str, schema: SchemaRef) -> Self {
        Self { site: true, ..Self::new(name, schema) }
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
        let (projection, asked) = (projection.cloned(), Vec::new());
        let (name, site) = (self.name.clone(), self.site);
        Ok(Arc::new(LeafExec { name, schema, projection, properties: Arc::new(properties), site, asked }))
    }
}

/// The leaf in a physical plan.
#[derive(Clone, Debug)]
pub(crate) struct LeafExec {
    name: String,
    schema: SchemaRef,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
    site: bool,
    /// Columns are those of the table.
    asked: Vec<Asked>,
}

impl LeafExec {
    /// Whether it is a site table.
    pub(crate) const fn is_site(&self) -> bool {
        self.site
    }

    /// The same leaf, asked for keys in columns that it gives.
    pub(crate) fn asked(&self, asked: &[Asked]) -> Arc<dyn ExecutionPlan> {
        let column = |column: usize| match &self.projection {
            None => Some(column),
            Some(columns) => columns.get(column).copied(),
        };
        let asked = asked.iter().filter(|_| self.site);
        let asked = asked.filter_map(|(number, given)| Some((*number, column(*given)?))).collect();
        Arc::new(Self { asked, ..self.clone() })
    }

    fn rows(&self, slots: Option<&Slots>) -> Result<Vec<RecordBatch>> {
        let Some((slots, held)) = slots.and_then(|s| Some((s, s.tables.get(&self.name)?))) else {
            return Ok(Vec::new());
        };
        let [whole] = held.as_slice() else { return held.iter().map(|b| self.project(b)).collect() };
        let rows = match self.asked.is_empty() {
            true => None,
            false => slots.rows(&Place::Table(self.name.clone()), whole, &self.asked)?,
        };
        Ok(vec![narrowed(&self.project(whole)?, rows.as_ref())?])
    }

    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        Ok(match &self.projection {
            None => batch.clone(),
            Some(columns) => batch.project(columns)?,
        })
    }
}

impl DisplayAs for LeafExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeafExec: {}, asked={}", self.name, self.asked.len())
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
        let batches = self.rows(slots.as_deref())?;
        Ok(Box::pin(MemoryStream::try_new(batches, Arc::clone(&self.schema), None)?))
    }
}

//! Planning: rule bodies to physical plans, once; and running them on the rows of one window.
//!
//! What a query reads and returns is known at the start, and so are most of its faults. The rest of planning is made when it first runs:
//! a capture without product costs no plan of a rule on product (benches/RESULTS.md). A rule that is not of the pack is made ready at
//! the start (`Planner::ready`), so that no fault of it waits for a row.
//!
//! The one module that holds SQL beside the rule files. A plan is never run twice at the same time, and its state is reset before
//! every run: without that, joins, top-k and subqueries give the rows of an earlier window, without an error.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    dataframe::DataFrame,
    execution::{
        TaskContext,
        context::{SQLOptions, SessionContext},
        runtime_env::RuntimeEnv,
    },
    logical_expr::LogicalPlan,
    physical_plan::{ExecutionPlan, collect, execution_plan::reset_plan_states},
    prelude::SessionConfig,
};
use lidr_rules::{Expr, Remember, site::SITE_TABLES};
use lidr_schema::{TableId, table::ALL};
use serde_json::Value;

use crate::{
    Site, detect,
    leaf::{Leaf, Slots},
    narrow::narrow,
    udf::{self, Edges, ZonesNow},
};

/// Longest query, so that its depth is bounded, too.
const MOST_SQL: usize = 64 * 1024;

/// Functions that ask the wall clock or chance: a window must be judged alike whenever it is.
const CLOCKS: [&str; 8] =
    ["now", "current_timestamp", "current_date", "today", "current_time", "random", "uuid", "version"];

/// A plan and what it reads.
pub(crate) struct Plan {
    stage: Stage,
    /// Tables that it scans.
    pub(crate) tables: BTreeSet<String>,
    /// Those of them that stand in FROM and not in a subquery: what a result may rest on.
    pub(crate) direct: BTreeSet<String>,
    /// What it returns.
    pub(crate) schema: SchemaRef,
}

/// How far a plan is.
enum Stage {
    /// It is understood and has not run yet.
    Understood(Box<LogicalPlan>),
    /// It can run.
    Ready(Arc<dyn ExecutionPlan>),
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan over {:?}", self.tables)
    }
}

impl Plan {
    /// Its operators, for tests.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> String {
        let Stage::Ready(physical) = &self.stage else { return "not ready".to_owned() };
        datafusion::physical_plan::displayable(physical.as_ref()).indent(false).to_string()
    }

    /// Event tables that it scans.
    pub(crate) fn events(&self) -> Vec<TableId> {
        self.tables.iter().filter_map(|t| TableId::named(t)).collect()
    }
}

/// Plans and runs.
pub(crate) struct Planner {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
    environment: Arc<RuntimeEnv>,
    edges: Arc<Edges>,
    zones: Arc<ZonesNow>,
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planner")
    }
}

/// The schema of an event table as rules see it: its columns and `rowid`.
pub(crate) fn event_schema(table: TableId) -> SchemaRef {
    let schema = table.def().schema();
    let rowid = Arc::new(Field::new("rowid", DataType::Int64, false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([rowid]).collect::<Vec<_>>()))
}

impl Planner {
    /// A catalogue of all event and site tables.
    pub(crate) fn new(site: &Site) -> Result<Self, String> {
        let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(8192);
        // One pass of the logical optimiser finds what matters in queries of this size; the usual three double the time to start.
        config.options_mut().optimizer.max_passes = 1;
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        // A filter that grows while a join runs is state of one run, which a plan that is run again must not have.
        config.options_mut().optimizer.enable_dynamic_filter_pushdown = false;
        let context = SessionContext::new_with_config(config);
        let edges = Arc::new(Edges::default());
        for name in CLOCKS {
            context.deregister_udf(name);
        }
        let zones = Arc::new(ZonesNow::new(site.zones()));
        udf::register(&context, &zones, site.key(), &edges);
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|e| e.to_string())?;
        let planner = Self { environment: context.runtime_env(), context, runtime, edges, zones };
        for table in ALL {
            planner.add(table.name(), event_schema(*table))?;
        }
        for sql in SITE_TABLES.iter().flat_map(|t| t.sql()) {
            let leaf = Leaf::of_site(&sql.name, crate::site::schema_of(&sql));
            planner.context.register_table(&sql.name, Arc::new(leaf)).map_err(|e| e.to_string())?;
        }
        Ok(planner)
    }

    /// Plans are run with the zones and the time zone of this site from now on.
    pub(crate) fn meet(&self, site: &Site) {
        self.zones.set(site.zones());
    }

    /// Adds a table, for instance a rule's memory.
    pub(crate) fn add(&self, name: &str, schema: SchemaRef) -> Result<(), String> {
        self.context.register_table(name, Arc::new(Leaf::new(name, schema))).map(drop).map_err(|e| e.to_string())
    }

    /// Takes a table away again: memory of one rule is not seen by another.
    pub(crate) fn remove(&self, name: &str) {
        // It was added by us under that name; nothing is lost if it is not there.
        drop(self.context.deregister_table(name));
    }

    /// Plans a query; `$start`, `$end` and tunables are filled in.
    pub(crate) fn sql(&self, text: &str, tunables: &BTreeMap<String, Value>) -> Result<Plan, String> {
        if text.len() > MOST_SQL {
            return Err(format!("the query is too long: {} characters, at most {MOST_SQL}", text.len()));
        }
        let text = fill(text, tunables)?;
        let frame =
            self.runtime.block_on(self.context.sql_with_options(&text, read_only())).map_err(|e| one_line(&e))?;
        self.finish(frame)
    }

    /// Plans a Sigma condition over one table.
    pub(crate) fn detection(&self, table: TableId, condition: &Expr) -> Result<Plan, String> {
        let condition = detect::predicate(table.def(), condition)?;
        let frame = self.runtime.block_on(self.context.table(table.name())).map_err(|e| one_line(&e))?;
        self.finish(frame.filter(condition).map_err(|e| one_line(&e))?)
    }

    /// Plans what a memory reads of its table: key, value, and whether the row adds or drops.
    pub(crate) fn memory(&self, def: &Remember) -> Result<Plan, String> {
        let table = def.from.def();
        let column = |name: &String| match table.column(name).map(|c| &c.data_type) {
            None => Err(format!("`remembers`: table `{}` has no column `{name}`", table.name)),
            Some(DataType::Dictionary(..)) => Ok(format!("arrow_cast(\"{name}\", 'Utf8') AS \"{name}\"")),
            Some(_) => Ok(format!("\"{name}\"")),
        };
        let columns = def.key.iter().chain(&def.value).map(column).collect::<Result<Vec<_>, _>>()?;
        let test = |condition: &str, blank| {
            if condition.trim().is_empty() { blank } else { format!("coalesce(({condition}), false)") }
        };
        if !def.rates.is_empty() {
            let sums: Vec<_> = def
                .rates
                .iter()
                .map(|name| format!("sum(coalesce(TRY_CAST(\"{name}\" AS BIGINT), 0)) AS \"{name}\""))
                .collect();
            let places: Vec<_> = (1..=columns.len()).map(|i| i.to_string()).collect();
            let text = format!(
                "SELECT {}, {}, min(due) AS lidr_first, max(due) AS lidr_due, true AS lidr_add, false AS lidr_drop FROM \"{}\" \
                 WHERE {} GROUP BY {}",
                columns.join(", "),
                sums.join(", "),
                table.name,
                test(&def.add, "true".to_owned()),
                places.join(", ")
            );
            return self.sql(&text, &BTreeMap::new());
        }
        let text = format!(
            "SELECT {}, due AS lidr_due, {} AS lidr_add, {} AS lidr_drop FROM \"{}\"",
            columns.join(", "),
            test(&def.add, "true".to_owned()),
            test(&def.drop, "false".to_owned()),
            table.name
        );
        self.sql(&text, &BTreeMap::new())
    }

    /// The same query over whole tables, for tests.
    #[cfg(test)]
    pub(crate) fn whole(&self, text: &str) -> Plan {
        let text = fill(text, &BTreeMap::new()).unwrap();
        let physical = async { self.context.sql(&text).await.unwrap().create_physical_plan().await.unwrap() };
        let physical = self.runtime.block_on(physical);
        let (schema, stage) = (physical.schema(), Stage::Ready(physical));
        Plan { schema, stage, tables: BTreeSet::new(), direct: BTreeSet::new() }
    }

    fn finish(&self, frame: DataFrame) -> Result<Plan, String> {
        let logical = frame.into_unoptimized_plan();
        let (tables, direct) = scanned(&logical).map_err(|e| one_line(&e))?;
        let schema = Arc::clone(logical.schema().inner());
        Ok(Plan { schema, stage: Stage::Understood(Box::new(logical)), tables, direct })
    }

    /// Makes a plan ready to run, if it is not.
    pub(crate) fn ready(&self, plan: &mut Plan) -> Result<Arc<dyn ExecutionPlan>, String> {
        let logical = match &plan.stage {
            Stage::Ready(physical) => return Ok(Arc::clone(physical)),
            Stage::Understood(logical) => logical,
        };
        let state = self.context.state();
        let physical = self.runtime.block_on(state.create_physical_plan(logical)).map_err(|e| one_line(&e))?;
        let physical = narrow(physical).map_err(|e| one_line(&e))?;
        plan.stage = Stage::Ready(Arc::clone(&physical));
        Ok(physical)
    }

    /// Runs a plan on these rows, in the window with these edges.
    pub(crate) fn run(&self, plan: &mut Plan, slots: Slots, edges: (i64, i64)) -> Result<Vec<RecordBatch>, String> {
        self.edges.set(edges.0, edges.1);
        let physical = reset_plan_states(self.ready(plan)?).map_err(|e| one_line(&e))?;
        plan.stage = Stage::Ready(Arc::clone(&physical));
        let config = self.context.copied_config().with_extension(Arc::new(slots));
        let task = TaskContext::new(
            None,
            "lidr".to_owned(),
            config,
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
            Arc::clone(&self.environment),
        );
        self.runtime.block_on(collect(physical, Arc::new(task))).map_err(|e| one_line(&e))
    }
}

/// A query of PostgreSQL whose rows come as JSON, their columns in order; so many rows at most.
#[cfg(feature = "postgres")]
pub(crate) fn rows_as_json(query: &str, most: u64) -> String {
    // A comment at the end of the query must not swallow what follows.
    format!("SELECT row_to_json(q)::text FROM (\n{query}\n) AS q LIMIT {most}")
}

/// Queries that read and do nothing else.
pub(crate) fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// Tables that a query scans, and those that it scans outside subqueries.
fn scanned(plan: &LogicalPlan) -> datafusion::common::Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut all, mut direct) = (BTreeSet::new(), BTreeSet::new());
    let note = |node: &LogicalPlan, out: &mut BTreeSet<String>| {
        if let LogicalPlan::TableScan(scan) = node {
            out.insert(scan.table_name.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(|node| note(node, &mut all))?;
    plan.apply(|node| note(node, &mut direct))?;
    Ok((all, direct))
}

/// DataFusion's errors go over several lines; ours do not.
fn one_line(error: &datafusion::error::DataFusionError) -> String {
    error.strip_backtrace().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces `$name`: the window's edges become functions that are read at each run, tunables become literals. Quoted text and
/// comments stay as they are.
pub(crate) fn fill(text: &str, tunables: &BTreeMap<String, Value>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\'', '"', '-']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let skipped = quoted(from);
        if skipped > 0 {
            let (same, tail) = from.split_at(skipped);
            out.push_str(same);
            rest = tail;
            continue;
        }
        let after = from.get(1..).unwrap_or_default();
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        match name {
            "start" => out.push_str("window_start()"),
            "end" => out.push_str("window_end()"),
            name => match tunables.get(name) {
                Some(value) => out.push_str(&literal(value)),
                None => return Err(format!("`${name}` is neither $start, $end nor a tunable of the rule")),
            },
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// Octets of the quoted text, comment or minus that a text begins with; 0 for a `$`.
fn quoted(text: &str) -> usize {
    let mut letters = text.char_indices();
    let Some((_, first)) = letters.next() else { return 0 };
    match first {
        '$' => 0,
        '-' if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
        '-' => 1,
        // A doubled quote inside ends one text and begins the next, which comes to the same.
        quote => letters.find(|(_, c)| *c == quote).map_or(text.len(), |(at, _)| at + quote.len_utf8()),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Array(items) => format!("({})", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

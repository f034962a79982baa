//! A run: reader, workers, row order, sink.
//!
//! With one worker everything happens on the caller's thread. With more, the reader has a thread of its own and hands records to
//! the workers by the hash of the flow key; what they write is put in order here. Every channel is bounded, so that a slow sink
//! slows the reader and nothing grows.
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use lidr_schema::{Key, Name};

use crate::{
    decode::{Protocols, ports::Ports},
    order::Order,
    own::{Own, OwnRows},
    record::Record,
    sink::{Sink, SinkError},
    source::{Reader, SourceError, clock::DISORDER},
    summary::{Records, Summary, Tally, add},
    worker::{Chunk, Shared, Worker},
};

/// Packets between two promises: enough rows for a batch, few enough that a window need not wait.
const CHUNK: usize = 16_384;
/// Messages that wait for a worker.
const QUEUE: usize = 8;
/// Live flows of a run, unless told otherwise.
pub const MOST_FLOWS: usize = 1_000_000;

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Config {
    /// The sensor's name.
    pub sensor: String,
    /// Workers, at least 1.
    pub workers: usize,
    /// The key for pseudonyms.
    pub key: Key,
    /// Name of the run.
    pub epoch: String,
    /// Live flows at the same time.
    pub most_flows: usize,
    /// Count distinct flow keys.
    pub count_keys: bool,
    /// Packets between two promises.
    pub chunk: usize,
    /// Ports that the settings give to protocols.
    pub ports: Ports,
    /// Names of protocols that are not looked for: to measure what they cost.
    pub without: Vec<String>,
}

impl Config {
    /// With the usual bounds.
    #[must_use]
    pub fn new(sensor: &str, workers: usize, key: Key, epoch: &str) -> Self {
        let (sensor, epoch) = (sensor.to_owned(), epoch.to_owned());
        Self {
            sensor,
            workers: workers.max(1),
            key,
            epoch,
            most_flows: MOST_FLOWS,
            count_keys: false,
            chunk: CHUNK,
            ports: Ports::default(),
            without: Vec::new(),
        }
    }
}

/// How far a run has come.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Octets read of the inputs as they are stored, compressed or not.
    pub bytes_read: u64,
    /// The account so far, without what workers have not told yet.
    pub so_far: Summary,
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An input broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The sink refused.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A thread died.
    #[error("a worker stopped without a word: this is a defect of lidr")]
    Worker,
}

/// Decodes everything the reader gives and passes rows and promises to the sink; the last promise is `i64::MAX`, and the clock at
/// the end follows it.
///
/// # Errors
/// If an input breaks while it is read, or the sink refuses.
pub fn run(
    mut reader: Reader,
    config: &Config,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Summary, RunError> {
    reader.set_ports(config.ports.clone());
    let inputs = reader.summary().len();
    let shared = Arc::new(Shared {
        sensor: for_good(config.sensor.clone()),
        files: reader.files(),
        captures: (0..inputs).map(|i| for_good(capture_name(&config.epoch, i))).collect(),
        key: config.key.clone(),
        most_flows: (config.most_flows / config.workers).max(1),
        count_keys: config.count_keys,
        ports: config.ports.clone(),
        protocols: Protocols::without(&config.without),
    });
    let mut run = Run { order: Order::new(config.workers + 1), own: OwnRows::new(Arc::clone(&shared)), sink };
    let done = match config.workers {
        1 => alone(reader, config, shared, &mut run, progress),
        _ => together(reader, config, &shared, &mut run, progress),
    };
    let (reader, tallies, clock) = match done {
        Err(why @ RunError::Source(_)) => {
            run.sink.broke()?;
            return Err(why);
        }
        done => done?,
    };
    run.sink.end(clock)?;
    let mut summary = account(&reader, &tallies, &run, clock);
    for (i, input) in summary.inputs.iter_mut().enumerate() {
        input.capture = capture_name(&config.epoch, i);
    }
    Ok(summary)
}

/// What rows call an input: never its path.
fn capture_name(epoch: &str, input: usize) -> String {
    format!("{epoch}-{input:05}")
}

/// A name that every row of the run repeats, without an allocation a row: a few octets a run are never given back.
fn for_good(name: String) -> Name {
    Name::Borrowed(Box::leak(name.into_boxed_str()))
}

/// Where rows go, whoever wrote them.
struct Run<'a> {
    order: Order,
    own: OwnRows,
    sink: &'a mut dyn Sink,
}

impl Run<'_> {
    fn chunk(&mut self, source: usize, chunk: Chunk) -> Result<(), SinkError> {
        self.order.take(source, chunk, self.sink)
    }

    /// The reader is a source of rows like a worker: the last one.
    fn own(&mut self, own: Own, floor: i64, source: usize) -> Result<(), SinkError> {
        let chunk = self.own.chunk(own, floor)?;
        self.chunk(source, chunk)
    }

    fn progress(&self, reader_bytes: u64, inputs: Vec<crate::source::InputSummary>) -> Progress {
        let so_far = Summary {
            packets: inputs.iter().map(|i| i.packets).sum(),
            bytes: inputs.iter().map(|i| i.bytes).sum(),
            records: Records::of(&inputs),
            rows: self.order.rows.iter().map(|(t, n)| (t.name().to_owned(), *n)).collect(),
            dropped: inputs.iter().fold(Default::default(), |mut all, input| {
                add(&mut all, &input.lost);
                all
            }),
            inputs,
            ..Summary::default()
        };
        Progress { bytes_read: reader_bytes, so_far }
    }
}

type Ended = (Reader, Vec<Tally>, i64);

fn alone(
    mut reader: Reader,
    config: &Config,
    shared: Arc<Shared>,
    run: &mut Run<'_>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Ended, RunError> {
    let mut worker = Worker::new(shared);
    let (mut records, mut since, mut clock) = (Vec::new(), 0, i64::MIN);
    let broke = loop {
        let now = match reader.next_block(&mut records) {
            Ok(Some(now)) => now,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        since += records.len();
        worker.records(&records);
        records.clear();
        clock = now;
        let enough = since + reader.waiting() >= config.chunk || worker.waiting() >= config.chunk;
        if reader.is_time() || enough {
            since = 0;
            worker.tick(clock);
            let chunk = worker.take(clock);
            let floor = chunk.floor;
            run.own(Own::take(&mut reader), floor, 1)?;
            run.chunk(0, chunk)?;
            progress(&run.progress(reader.position(), reader.summary()));
        }
    };
    // What was read before an input broke is worth its rows; that it has not ended is told by the error.
    reader.end();
    run.own(Own::take(&mut reader), i64::MAX, 1)?;
    run.chunk(0, worker.end(clock))?;
    broke.map_or_else(|| Ok((reader, vec![worker.tally], clock)), |error| Err(error.into()))
}

/// What the reader's thread sends to a worker.
struct Work {
    records: Vec<Record>,
    clock: i64,
}

/// What comes to the thread that puts rows in order.
enum Told {
    Chunk(usize, Chunk),
    Own(Own, i64, Box<Progress>),
    Done(Tally),
}

fn together(
    reader: Reader,
    config: &Config,
    shared: &Arc<Shared>,
    run: &mut Run<'_>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Ended, RunError> {
    let workers = config.workers;
    thread::scope(|scope| {
        let (tell, told) = sync_channel::<Told>(QUEUE * workers);
        let mut hands = Vec::new();
        for number in 0..workers {
            let (hand, work) = sync_channel::<Work>(QUEUE);
            hands.push(hand);
            let (tell, shared) = (tell.clone(), Arc::clone(shared));
            scope.spawn(move || worker_thread(number, Worker::new(shared), &work, &tell));
        }
        let chunk = config.chunk;
        let reading = scope.spawn(move || reader_thread(reader, chunk, &hands, &tell));
        let mut tallies = Vec::new();
        let mut failed = None;
        for message in &told {
            let done = match message {
                Told::Chunk(source, chunk) => run.chunk(source, chunk),
                Told::Own(own, floor, at) => {
                    let mut now = run.progress(at.bytes_read, at.so_far.inputs);
                    now.so_far.skipped = at.so_far.skipped;
                    progress(&now);
                    run.own(own, floor, workers)
                }
                Told::Done(tally) => {
                    tallies.push(tally);
                    Ok(())
                }
            };
            if let Err(error) = done {
                failed = Some(error);
                break;
            }
        }
        // Whoever still sends finds nobody listening and stops.
        drop(told);
        let read = reading.join().map_err(|_| RunError::Worker)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let (reader, clock) = read?;
        if tallies.len() != workers {
            return Err(RunError::Worker);
        }
        Ok((reader, tallies, clock))
    })
}

fn reader_thread(
    mut reader: Reader,
    chunk: usize,
    hands: &[SyncSender<Work>],
    tell: &SyncSender<Told>,
) -> Result<(Reader, i64), SourceError> {
    let mut shares: Vec<Vec<Record>> = hands.iter().map(|_| Vec::new()).collect();
    let (mut records, mut since, mut clock) = (Vec::new(), 0, i64::MIN);
    let broke = loop {
        let now = match reader.next_block(&mut records) {
            Ok(Some(now)) => now,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        since += records.len();
        clock = now;
        for record in records.drain(..) {
            // The upper half chooses the worker, the lower half the slot in its table.
            let share = (record.hash >> 32) as usize % hands.len();
            if let Some(share) = shares.get_mut(share) {
                share.push(record);
            }
        }
        if reader.is_time() || since + reader.waiting() >= chunk {
            since = 0;
            if !send(&mut shares, hands, clock) {
                return Ok((reader, clock));
            }
            let so_far = Summary { inputs: reader.summary(), ..Summary::default() };
            let at = Box::new(Progress { bytes_read: reader.position(), so_far });
            if tell.send(Told::Own(Own::take(&mut reader), clock - DISORDER - 1, at)).is_err() {
                return Ok((reader, clock));
            }
        }
    };
    // Without a packet there is no clock that could move anything.
    if clock > i64::MIN {
        send(&mut shares, hands, clock);
    }
    reader.end();
    let _ = tell.send(Told::Own(Own::take(&mut reader), i64::MAX, Box::default()));
    broke.map_or(Ok((reader, clock)), Err)
}

fn send(shares: &mut [Vec<Record>], hands: &[SyncSender<Work>], clock: i64) -> bool {
    shares.iter_mut().zip(hands).all(|(share, hand)| {
        let records = std::mem::take(share);
        share.reserve(records.len());
        hand.send(Work { records, clock }).is_ok()
    })
}

fn worker_thread(number: usize, mut worker: Worker, work: &Receiver<Work>, tell: &SyncSender<Told>) {
    let mut clock = i64::MIN;
    for Work { records, clock: now } in work {
        worker.records(&records);
        clock = now;
        worker.tick(clock);
        if tell.send(Told::Chunk(number, worker.take(clock))).is_err() {
            return;
        }
    }
    let last = worker.end(clock);
    let _ = tell.send(Told::Chunk(number, last));
    let _ = tell.send(Told::Done(worker.tally));
}

fn account(reader: &Reader, tallies: &[Tally], run: &Run<'_>, clock: i64) -> Summary {
    let mut summary = run.progress(reader.position(), reader.summary()).so_far;
    summary.clock = clock;
    tallies.iter().for_each(|t| summary.add_tally(t));
    let frames = reader.counters();
    add(&mut summary.skipped, &frames.skipped);
    add(&mut summary.dropped, &frames.dropped);
    add(&mut summary.oddities, &run.own.counts);
    summary.records = Records::of(&summary.inputs);
    if run.order.taps_forgotten() > 0 {
        summary.dropped.insert("tap_table".to_owned(), run.order.taps_forgotten());
    }
    summary
}

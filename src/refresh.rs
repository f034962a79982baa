//! The site's tables, read again while lidr runs: files when they have changed, a database as often as `site.toml` says.
//!
//! A thread of its own looks and reads; the judge takes a new copy between two moves of the watermark, so that every window is judged
//! with one copy. A change counts once the files have stood still from one look to the next and did not move while they were read:
//! half a register would make lawful taps look unlawful. What cannot be read leaves the last good copy in force and is said once a
//! change; the age of that copy is a metric, and once it is older than `stale` a row of `oddity`, which rule AF-08b makes a finding.
//! Files that do not change do not grow old.
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use lidr_analytics::{
    Site,
    metrics::Metrics,
    site::{self, Origin, Print, Refresh},
};
use lidr_schema::Key;

/// From one attempt to read what could not be read to the next, where nothing has changed.
const AGAIN: Duration = Duration::from_secs(60);

/// Why a folder without any table is not taken where there were some.
const EMPTIED: &str = "no table is left of those that were there";

/// How the files looked, or why they could not be looked at.
pub(crate) type Look = Result<Print, String>;

/// The site, and how its files looked before they were read: what changes meanwhile is a change.
pub(crate) fn read(dir: Option<&std::path::Path>, key: &Key) -> anyhow::Result<(Option<Look>, Site)> {
    let looked = dir.map(look);
    Ok((looked, Site::load(dir, key)?))
}

/// Looks at the files of a folder.
fn look(dir: &std::path::Path) -> Look {
    site::print(dir).map_err(|e| e.to_string())
}

/// How often what is looked at or read, as the copy at hand says.
#[derive(Clone, Copy, Debug)]
struct Pace {
    files: Refresh,
    database: Option<Refresh>,
}

impl Pace {
    fn of(site: &Site) -> Self {
        Self { files: site.files(), database: site.refresh() }
    }
}

/// A copy that is older than it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stale {
    pub(crate) age: Duration,
    pub(crate) refresh: Refresh,
    pub(crate) of: Origin,
}

/// What there is to know before the next windows are judged.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// A new copy.
    pub(crate) site: Option<Site>,
    /// The copy has become stale.
    pub(crate) stale: Option<Stale>,
}

/// Brings news of the site.
#[derive(Debug)]
pub(crate) struct Refresher {
    shared: Arc<Shared>,
    told: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    stop: AtomicBool,
}

/// What the judge and the thread share.
#[derive(Debug)]
struct State {
    /// A copy that the judge has not taken yet.
    new: Option<Site>,
    /// When the copy at hand was last known to be what the files say, and the database.
    files: Instant,
    database: Instant,
    pace: Pace,
}

impl State {
    /// How old the copy is: the older of its two parts.
    fn age(&self) -> Duration {
        let database = self.pace.database.map_or(Duration::ZERO, |_| self.database.elapsed());
        database.max(self.files.elapsed())
    }

    fn stale(&self) -> Option<Stale> {
        let old = |of, since: Instant, refresh: Refresh| {
            let age = since.elapsed();
            (age > refresh.stale).then_some(Stale { age, refresh, of })
        };
        let database = self.pace.database.and_then(|refresh| old(Origin::Database, self.database, refresh));
        database.or_else(|| old(Origin::Files, self.files, self.pace.files))
    }
}

impl Refresher {
    /// Begins to look, if there is a site folder; `first` is how it looked before `site` was read.
    pub(crate) fn start(
        dir: Option<PathBuf>,
        first: Option<Look>,
        site: &Site,
        key: Key,
        metrics: Option<Arc<Metrics>>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(dir), Some(first)) = (dir, first) else { return Ok(None) };
        Self::with((dir, key), first, site, metrics, Pace::of).map(Some)
    }

    fn with(
        (dir, key): (PathBuf, Key),
        first: Look,
        site: &Site,
        metrics: Option<Arc<Metrics>>,
        pace: fn(&Site) -> Pace,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        let state = State { new: None, files: now, database: now, pace: pace(site) };
        let shared = Arc::new(Shared { state: Mutex::new(state), stop: AtomicBool::new(false) });
        let mut reader = Reader {
            dir,
            key,
            pace,
            metrics,
            hash: site.hash().to_owned(),
            has_tables: !site.present().is_empty(),
            loaded: first.clone(),
            before: first,
            failed: None,
            looked: now,
            asked: now,
        };
        let of_thread = Arc::clone(&shared);
        let run = move || {
            while !of_thread.stop.load(Ordering::Relaxed) {
                reader.turn(&of_thread);
            }
        };
        thread::Builder::new().name("site".to_owned()).spawn(run).context("thread that reads the site again")?;
        Ok(Self { shared, told: false })
    }

    /// What has come since the last call. That a copy is stale waits until it `may_tell`: before anything was judged there is no
    /// time at which it could be told.
    pub(crate) fn news(&mut self, may_tell: bool) -> News {
        let Ok(mut state) = self.shared.state.lock() else { return News::default() };
        let stale = state.stale();
        let news = News { site: state.new.take(), stale: stale.filter(|_| !self.told && may_tell) };
        self.told = stale.is_some() && (self.told || may_tell);
        news
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// The thread's own: what it read and saw last.
struct Reader {
    dir: PathBuf,
    key: Key,
    pace: fn(&Site) -> Pace,
    metrics: Option<Arc<Metrics>>,
    /// Of the copy at hand.
    hash: String,
    has_tables: bool,
    /// How the files looked when the copy at hand was read, and at the last look.
    loaded: Look,
    before: Look,
    /// What could not be read, and when that was tried last.
    failed: Option<(Look, Instant)>,
    /// When it looked at the files last, and asked the database.
    looked: Instant,
    asked: Instant,
}

impl Reader {
    /// Waits a while and does what is due.
    fn turn(&mut self, shared: &Shared) {
        let Ok(pace) = shared.state.lock().map(|state| state.pace) else { return };
        let every = pace.database.map_or(pace.files.every, |d| d.every.min(pace.files.every));
        thread::sleep(every.min(Duration::from_secs(1)));
        let asks = pace.database.is_some_and(|d| self.asked.elapsed() >= d.every);
        if asks || self.looked.elapsed() >= pace.files.every {
            self.looked = Instant::now();
            self.look(shared, asks);
        }
        if let (Some(metrics), Ok(state)) = (&self.metrics, shared.state.lock()) {
            metrics.site_age(state.age());
        }
    }

    /// Reads where files have changed and stand still, or where it is time to ask the database.
    fn look(&mut self, shared: &Shared, asks: bool) {
        let (now, began) = (look(&self.dir), Instant::now());
        let same = now == self.loaded;
        if same && let Ok(mut state) = shared.state.lock() {
            state.files = began;
        }
        let stands = same || now == self.before;
        self.before.clone_from(&now);
        let tried = self.failed.as_ref().is_some_and(|(look, at)| *look == now && at.elapsed() < AGAIN);
        if !stands || (!asks && (same || tried)) {
            return;
        }
        self.asked = began;
        let read = Site::load(Some(&self.dir), &self.key).map_err(|e| e.to_string());
        // A folder that is empty all of a sudden is a disk that went away, not a carrier without taps.
        let gone = |site: &Site| site.present().is_empty() && self.has_tables;
        let read = read.and_then(|site| if gone(&site) { Err(EMPTIED.to_owned()) } else { Ok(site) });
        if look(&self.dir) != now {
            // It was written while it was read: what was read may be half of it.
            return;
        }
        if let Some(metrics) = &self.metrics {
            metrics.site_read(read.is_ok());
        }
        match read {
            Ok(site) => self.good(shared, site, now, began),
            Err(why) => self.bad(shared, now, &why, asks),
        }
    }

    fn good(&mut self, shared: &Shared, site: Site, now: Look, began: Instant) {
        (self.loaded, self.failed) = (now, None);
        let Ok(mut state) = shared.state.lock() else { return };
        (state.files, state.database, state.pace) = (began, began, (self.pace)(&site));
        if site.hash() != self.hash {
            tracing::info!("the site's tables have changed: the next windows are judged with them");
            site.hash().clone_into(&mut self.hash);
            self.has_tables = !site.present().is_empty();
            state.new = Some(site);
        }
    }

    fn bad(&mut self, shared: &Shared, now: Look, why: &str, asked: bool) {
        let known = self.failed.as_ref().is_some_and(|(look, _)| *look == now);
        self.failed = Some((now, Instant::now()));
        if known && !asked {
            return;
        }
        let age = shared.state.lock().map_or(0, |state| state.age().as_secs());
        tracing::warn!("the site's tables could not be read again, the last good copy is {age} s old and stays: {why}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key() -> Key {
        Key::from_hex(&"0b".repeat(32)).unwrap()
    }

    /// Waits at most 20 s for news that fit.
    fn until(refresher: &mut Refresher, fits: impl Fn(&News) -> bool) -> News {
        for _ in 0..2000 {
            let news = refresher.news(true);
            if fits(&news) {
                return news;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("nothing came");
    }

    const QUICK: Refresh = Refresh { every: Duration::from_millis(20), stale: Duration::from_millis(600) };

    /// A folder of one table, and what reads it again.
    fn started(pace: fn(&Site) -> Pace) -> (tempfile::TempDir, Refresher, Arc<Metrics>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sensors.csv"), "name\ntap1\n").unwrap();
        let (first, site) = (look(dir.path()), Site::load(Some(dir.path()), &key()).unwrap());
        let metrics = Arc::new(Metrics::new().unwrap());
        let at = (dir.path().to_owned(), key());
        let refresher = Refresher::with(at, first, &site, Some(Arc::clone(&metrics)), pace).unwrap();
        (dir, refresher, metrics)
    }

    fn reads(metrics: &Metrics, result: &str) -> u64 {
        let name = format!("lidr_site_reads_total{{result=\"{result}\"}} ");
        metrics.page().lines().find_map(|l| l.strip_prefix(&name)?.parse().ok()).unwrap_or_default()
    }

    #[test]
    fn a_changed_file_is_taken_once_and_a_broken_one_keeps_the_last_good_copy_until_it_is_stale() {
        let (dir, mut refresher, metrics) = started(|_| Pace { files: QUICK, database: None });
        let write = |text: &str| fs::write(dir.path().join("sensors.csv"), text).unwrap();
        // Files that do not change do not grow old, however long nothing happens.
        thread::sleep(QUICK.stale * 2);
        let news = refresher.news(true);
        assert!(news.site.is_none() && news.stale.is_none() && reads(&metrics, "ok") == 0);
        write("name\ntap2\n");
        let news = until(&mut refresher, |news| news.site.is_some());
        assert_eq!(news.site.unwrap().sensors(), ["tap2"]);
        write("nonsense\n1\n");
        let news = until(&mut refresher, |news| news.stale.is_some() || news.site.is_some());
        let stale = news.stale.unwrap();
        assert!(news.site.is_none() && stale.age > QUICK.stale && stale.of == Origin::Files);
        assert!(refresher.news(true).stale.is_none(), "it is told once");
        assert_eq!(reads(&metrics, "failed"), 1, "read once a change, not once a look");
        write("name\ntap3\n");
        assert_eq!(until(&mut refresher, |news| news.site.is_some()).site.unwrap().sensors(), ["tap3"]);
        assert!(refresher.news(true).stale.is_none());
    }

    #[test]
    fn what_says_the_same_again_is_no_news() {
        let (dir, mut refresher, metrics) = started(|_| Pace { files: QUICK, database: None });
        fs::write(dir.path().join("sensors.csv"), "name\ntap1\n").unwrap();
        for _ in 0..500 {
            if reads(&metrics, "ok") > 0 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(reads(&metrics, "ok"), 1);
        assert!(refresher.news(true).site.is_none());
    }

    #[test]
    fn a_database_is_asked_as_often_as_it_says_whether_files_change_or_not() {
        let (_dir, mut refresher, metrics) = started(|_| Pace { files: QUICK, database: Some(QUICK) });
        for _ in 0..500 {
            if reads(&metrics, "ok") > 2 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert!(reads(&metrics, "ok") > 2 && refresher.news(true).stale.is_none());
    }

    #[test]
    fn without_a_folder_nothing_is_read_again() {
        let site = Site::load(None, &key()).unwrap();
        assert!(Refresher::start(None, None, &site, key(), None).unwrap().is_none());
    }
}

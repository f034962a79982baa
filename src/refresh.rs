//! The site's tables, read again while lidr runs, where a database has some of them (`refresh` in `site.toml`).
//!
//! A thread of its own reads; the judge takes a new copy between two moves of the watermark, so that every window is judged with
//! one copy. What cannot be read leaves the last good copy in force: its age is a metric, and once it is older than `stale` a row of
//! `oddity`, which rule AF-08b makes a finding.
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
use lidr_analytics::{Site, metrics::Metrics, site::Refresh};
use lidr_schema::Key;

/// Where the tables are, and how they are read again.
#[derive(Debug)]
pub(crate) struct Refresher {
    shared: Arc<Shared>,
    refresh: Refresh,
    told: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    stop: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// A copy that the judge has not taken yet.
    new: Option<Site>,
    /// When the last good copy was read.
    good: Instant,
    hash: String,
}

/// What there is to know before the next windows are judged.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// A new copy.
    pub(crate) site: Option<Site>,
    /// The copy has become stale: its age.
    pub(crate) stale: Option<(Duration, Refresh)>,
}

impl Refresher {
    /// Begins to read, if the site says how often.
    pub(crate) fn start(
        dir: Option<PathBuf>,
        site: &Site,
        key: Key,
        metrics: Option<Arc<Metrics>>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(dir), Some(refresh)) = (dir, site.refresh()) else { return Ok(None) };
        let load = move || Site::load(Some(&dir), &key).map_err(|e| e.to_string());
        Self::with(refresh, site, load, metrics).map(Some)
    }

    fn with(
        refresh: Refresh,
        site: &Site,
        load: impl Fn() -> Result<Site, String> + Send + 'static,
        metrics: Option<Arc<Metrics>>,
    ) -> anyhow::Result<Self> {
        let state = State { new: None, good: Instant::now(), hash: site.hash().to_owned() };
        let shared = Arc::new(Shared { state: Mutex::new(state), stop: AtomicBool::new(false) });
        let of_thread = Arc::clone(&shared);
        let run = move || {
            let mut last = Instant::now();
            while !of_thread.stop.load(Ordering::Relaxed) {
                thread::sleep(refresh.every.min(Duration::from_secs(1)));
                if last.elapsed() >= refresh.every {
                    of_thread.read(&load, metrics.as_deref());
                    last = Instant::now();
                }
                if let (Some(metrics), Ok(state)) = (&metrics, of_thread.state.lock()) {
                    metrics.site_age(state.good.elapsed());
                }
            }
        };
        thread::Builder::new().name("site".to_owned()).spawn(run).context("thread that reads the site again")?;
        Ok(Self { shared, refresh, told: false })
    }

    /// What has come since the last call. That a copy is stale waits until it `may_tell`: before anything was judged there is no
    /// time at which it could be told.
    pub(crate) fn news(&mut self, may_tell: bool) -> News {
        let Ok(mut state) = self.shared.state.lock() else { return News::default() };
        let age = state.good.elapsed();
        let stale = age > self.refresh.stale;
        let news =
            News { site: state.new.take(), stale: (stale && !self.told && may_tell).then_some((age, self.refresh)) };
        self.told = stale && (self.told || may_tell);
        news
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn read(&self, load: &impl Fn() -> Result<Site, String>, metrics: Option<&Metrics>) {
        let began = Instant::now();
        let read = load();
        if let Some(metrics) = metrics {
            metrics.site_read(read.is_ok());
        }
        let Ok(mut state) = self.state.lock() else { return };
        match read {
            Ok(site) => {
                state.good = began;
                if site.hash() != state.hash {
                    tracing::info!("the site's tables have changed: the next windows are judged with them");
                    site.hash().clone_into(&mut state.hash);
                    state.new = Some(site);
                }
            }
            Err(why) => tracing::warn!(
                "the site's tables could not be read again, the last good copy is {} s old: {why}",
                state.good.elapsed().as_secs()
            ),
        }
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

    #[test]
    fn a_change_is_taken_once_and_a_broken_table_keeps_the_last_good_copy_until_it_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(dir.path().join("sensors.csv"), text).unwrap();
        write("name\ntap1\n");
        let site = Site::load(Some(dir.path()), &key()).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let path = dir.path().to_owned();
        let load = move || Site::load(Some(&path), &key()).map_err(|e| e.to_string());
        let refresh = Refresh { every: Duration::from_millis(20), stale: Duration::from_millis(600) };
        let mut refresher = Refresher::with(refresh, &site, load, Some(Arc::clone(&metrics))).unwrap();
        write("name\ntap2\n");
        let news = until(&mut refresher, |news| news.site.is_some());
        assert_eq!(news.site.unwrap().sensors(), ["tap2"]);
        write("nonsense\n1\n");
        let news = until(&mut refresher, |news| news.stale.is_some() || news.site.is_some());
        assert!(news.site.is_none() && news.stale.unwrap().0 > refresh.stale);
        assert!(metrics.page().contains("lidr_site_reads_total{result=\"failed\"}"), "{}", metrics.page());
        assert!(refresher.news(true).stale.is_none(), "it is told once");
        write("name\ntap3\n");
        assert_eq!(until(&mut refresher, |news| news.site.is_some()).site.unwrap().sensors(), ["tap3"]);
    }

    #[test]
    fn a_site_without_a_database_is_not_read_again() {
        let site = Site::load(None, &key()).unwrap();
        assert!(Refresher::start(None, &site, key(), None).unwrap().is_none());
    }
}

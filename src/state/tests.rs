//! The state folder: what is kept, what is refused, who works.
use serde_json::json;

use super::*;

fn open(dir: &Path, name: &str) -> State {
    let stop = AtomicBool::new(true);
    State::open(dir, json!(name), Duration::ZERO, &stop).unwrap().expect("the folder is free")
}

/// Writes a snapshot whose source stands at that clock.
fn write(state: &mut State, end: i64) {
    let key = lidr_schema::Key::from_hex(&"0b".repeat(32)).unwrap();
    let site = lidr_analytics::Site::load(None, &key).unwrap();
    let mut tables = Tables::default();
    let engine = lidr_analytics::Engine::new(&[], site, Default::default()).unwrap().save(&mut tables).unwrap();
    state.write(engine, SourceState { end, ..SourceState::default() }, &tables).unwrap();
}

fn end(state: &mut State) -> Option<i64> {
    state.latest().unwrap().map(|(snapshot, _)| snapshot.source.end)
}

fn newest(dir: &Path) -> PathBuf {
    snapshots(dir).unwrap().pop().unwrap().1
}

#[test]
fn the_newest_is_used_and_the_one_before_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), "a");
    assert!(end(&mut state).is_none());
    for at in 1..=5 {
        write(&mut state, at);
    }
    drop(state);
    assert_eq!(snapshots(dir.path()).unwrap().len(), KEPT);
    let mut state = open(dir.path(), "a");
    assert_eq!(end(&mut state), Some(5));
    write(&mut state, 6);
    assert_eq!(end(&mut state), Some(6), "numbers go on");
}

#[test]
fn a_damaged_one_is_passed_over_and_two_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), "a");
    write(&mut state, 1);
    write(&mut state, 2);
    let path = newest(dir.path());
    let octets = fs::read(&path).unwrap();
    fs::write(&path, &octets[..octets.len() / 2]).unwrap();
    assert_eq!(end(&mut state), Some(1));
    let before = snapshots(dir.path()).unwrap()[0].1.clone();
    fs::write(&before, b"rubbish").unwrap();
    let error = state.latest().unwrap_err().to_string();
    assert!(error.contains("no snapshot is whole") && error.contains(&path.display().to_string()), "{error}");
    assert!(error.contains("needed `lidr state 1`"), "{error}");
}

#[test]
fn the_state_of_another_watch_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut open(dir.path(), "a"), 1);
    let error = open(dir.path(), "b").latest().unwrap_err().to_string();
    assert!(error.contains("needed the state of \"b\", had that of \"a\""), "{error}");
}

#[test]
fn a_second_one_waits_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = open(dir.path(), "a");
    let stopped = AtomicBool::new(true);
    assert!(State::open(dir.path(), json!("a"), Duration::ZERO, &stopped).unwrap().is_none(), "told to stop");
    let path = dir.path().to_owned();
    let standby = thread::spawn(move || {
        let go_on = AtomicBool::new(false);
        let mut second = State::open(&path, json!("a"), Duration::ZERO, &go_on).unwrap().unwrap();
        end(&mut second)
    });
    thread::sleep(Duration::from_millis(300));
    assert!(!standby.is_finished());
    write(&mut first, 9);
    drop(first);
    assert_eq!(standby.join().unwrap(), Some(9), "it goes on from where the first stood");
}

#[test]
fn a_snapshot_is_due_once_windows_were_judged_and_not_too_often() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), "a");
    assert!(!state.wants());
    state.reached(5 * STEP);
    assert!(state.wants());
    write(&mut state, 1);
    state.reached(5 * STEP + 1);
    assert!(!state.wants(), "the same minute");
    state.reached(6 * STEP);
    assert!(state.wants());
    state.every = Duration::from_secs(3600);
    assert!(!state.wants(), "too soon");
}

//! A browser without a window, for pages that people read: what it says, what it draws, what it prints.
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What keeps it quiet and by itself.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
];

/// The browser of the tests, with a profile of its own for each run of it.
pub(crate) struct Browser {
    program: String,
    dir: tempfile::TempDir,
}

/// The browser; without one the test says that it was skipped, or fails where one is required.
pub(crate) fn browser(test: &str) -> Option<Browser> {
    let given = std::env::var("LIDR_TEST_CHROMIUM").ok();
    let program = given.unwrap_or_else(|| "chromium".to_owned());
    if Command::new(&program).arg("--version").output().is_ok() {
        return Some(Browser { program, dir: tempfile::tempdir().unwrap() });
    }
    assert!(std::env::var_os("LIDR_REQUIRE_CHROMIUM").is_none(), "a Chromium is required and `{program}` does not run");
    println!("\nskipped: {test}: `{program}` does not run and LIDR_TEST_CHROMIUM is not set");
    None
}

impl Browser {
    fn run(&self, more: &[String], page: &Path) -> Output {
        let profile = tempfile::tempdir_in(self.dir.path()).unwrap();
        let mut command = Command::new(&self.program);
        command.args(FLAGS).arg("--v=0").arg(format!("--user-data-dir={}", profile.path().display())).args(more);
        // A browser that hangs is no page that is wrong.
        let timed = command.arg("--timeout=60000").arg(format!("file://{}", page.display()));
        let out = timed.output().expect("Chromium runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out
    }

    /// The page as it stands once it is loaded, and what its console says.
    pub(crate) fn dom(&self, page: &Path) -> (String, Vec<String>) {
        let out = self.run(&["--dump-dom".to_owned(), "--virtual-time-budget=5000".to_owned()], page);
        (String::from_utf8(out.stdout.clone()).unwrap(), console(&out))
    }

    /// A picture of that many pixels, and what the console says.
    pub(crate) fn picture(&self, page: &Path, (width, height): (u32, u32)) -> (Picture, Vec<String>) {
        let file = self.dir.path().join("picture.png");
        let out =
            self.run(&[format!("--window-size={width},{height}"), format!("--screenshot={}", file.display())], page);
        (Picture::read(&fs::read(file).unwrap()), console(&out))
    }

    /// The page on paper: a PDF.
    pub(crate) fn paper(&self, page: &Path) -> PathBuf {
        let file = self.dir.path().join("paper.pdf");
        self.run(&["--no-pdf-header-footer".to_owned(), format!("--print-to-pdf={}", file.display())], page);
        file
    }
}

fn console(out: &Output) -> Vec<String> {
    String::from_utf8_lossy(&out.stderr).lines().filter(|l| l.contains("CONSOLE")).map(str::to_owned).collect()
}

/// Pixels.
pub(crate) struct Picture {
    width: usize,
    step: usize,
    octets: Vec<u8>,
}

impl Picture {
    /// Reads a PNG of eight bits a colour that is not interlaced, which is what Chromium writes.
    fn read(png: &[u8]) -> Self {
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let (width, height, step) = (number(16), number(20), if png[25] == 6 { 4 } else { 3 });
        assert!(png[24] == 8 && [2, 6].contains(&png[25]) && png[28] == 0, "another kind of PNG");
        let (mut at, mut packed) = (8, Vec::new());
        while at + 8 <= png.len() {
            let length = number(at);
            if &png[at + 4..at + 8] == b"IDAT" {
                packed.extend_from_slice(&png[at + 8..at + 8 + length]);
            }
            at += length + 12;
        }
        let mut raw = Vec::new();
        flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut raw).unwrap();
        let line = width * step;
        let mut octets = vec![0u8; line * height];
        for y in 0..height {
            let filter = raw[y * (line + 1)];
            for x in 0..line {
                let left = if x >= step { octets[y * line + x - step] } else { 0 };
                let up = if y > 0 { octets[(y - 1) * line + x] } else { 0 };
                let corner = if y > 0 && x >= step { octets[(y - 1) * line + x - step] } else { 0 };
                let guess = match filter {
                    0 => 0,
                    1 => left,
                    2 => up,
                    3 => ((u16::from(left) + u16::from(up)) / 2) as u8,
                    _ => paeth(left, up, corner),
                };
                octets[y * line + x] = raw[y * (line + 1) + 1 + x].wrapping_add(guess);
            }
        }
        Self { width, step, octets }
    }

    /// How many pixels of a rectangle are not white, in thousandths.
    pub(crate) fn ink(&self, (x, y, width, height): (usize, usize, usize, usize)) -> usize {
        let dark = |(x, y): (usize, usize)| {
            let at = (y * self.width + x) * self.step;
            self.octets.get(at..at + 3).is_some_and(|rgb| rgb.iter().any(|c| *c < 200))
        };
        let all = (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y)));
        all.filter(|at| dark(*at)).count() * 1000 / (width * height).max(1)
    }
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(corner);
    let far = |c: u8| (guess - i16::from(c)).abs();
    if far(left) <= far(up) && far(left) <= far(corner) {
        left
    } else if far(up) <= far(corner) {
        up
    } else {
        corner
    }
}

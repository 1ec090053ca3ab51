//! A host without a terminal, as a child whose last words are kept.
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines that are kept.
const LINES: usize = 20;
/// For what an ended host has said to be read, in steps; a process that it left behind may hold the pipes open.
const STEPS: u32 = 50;
const STEP: Duration = Duration::from_millis(10);

pub struct Headless {
    child: Child,
    last: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Headless {
    /// It stays in our process group, so that the terminal's interrupt reaches it as well.
    #[allow(clippy::disallowed_methods, reason = "a part of the process port")]
    pub fn start(program: &str, args: &[&str], env: &[(&str, String)], folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        // It takes the folder it works in from PWD before it asks the system.
        command.args(args).current_dir(folder).env("PWD", folder).envs(env.iter().map(|(n, v)| (n, v)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let pipes: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ];
        let mut readers = Vec::new();
        for pipe in pipes.into_iter().flatten() {
            let last = last.clone();
            let reader = std::thread::Builder::new().name("host-output".into());
            readers.push(reader.spawn(move || keep(pipe, &last))?);
        }
        Ok(Self { child, last, readers })
    }

    /// Asks it to end, as an interrupt at the terminal does.
    #[cfg(unix)]
    pub fn interrupt(&mut self) {
        if let (Ok(None), Some(pid)) =
            (self.child.try_wait(), rustix::process::Pid::from_child(&self.child).into())
        {
            // It may end in this very moment.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
    }

    /// Ctrl+C reaches every program of a console, so it has been asked already.
    #[cfg(windows)]
    pub fn interrupt(&mut self) {}

    pub fn runs(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it said last, a few lines, once it has ended.
    pub fn said(&self) -> String {
        for _ in 0..STEPS {
            if self.readers.iter().all(JoinHandle::is_finished) {
                break;
            }
            std::thread::sleep(STEP);
        }
        self.last.lock().iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// Ends what it started when nobody waits for it any more.
impl Drop for Headless {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn keep(pipe: impl Read, last: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut last = last.lock();
        if !line.is_empty() {
            last.push_back(line);
        }
        while last.len() > LINES {
            last.pop_front();
        }
    }
}
